"""What is told: state, address, operation, story."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner import status
from provisioner.facts import InstallFact
from provisioner.operation import progressed
from provisioner.record import (
    Address,
    AddressMode,
    ClusterState,
    NodeState,
    Operation,
    OperationState,
    Spec,
)
from provisioner.removal import ALL_PROVEN, GROUPS_DROPPED, WHITELIST_CLOSED
from provisioner.status import told, with_condition
from provisioner.story import story
from tests.unit.provisioner.shapes import (
    ADDRESS,
    MINUTE,
    NOW,
    SITE,
    intent,
    launched,
    node,
    record,
    token_of,
)

S, C, O = NodeState, ClusterState, OperationState  # noqa: E741
TOKEN = token_of()


@pytest.mark.parametrize(("nodes", "state"), [
    ((), C.STARTING),
    ((node(),), C.STARTING),
    ((launched(S.LOADING),), C.LOADING),
    ((launched(S.RUNNING),), C.RUNNING),
    ((launched(S.RUNNING, reason="X"),), C.DEGRADED),
    ((launched(S.RUNNING), node()), C.STARTING),
    ((node(), launched(S.LOADING)), C.LOADING),
    ((launched(S.LOADING), node(S.FAILED)), C.FAILED),
    ((launched(S.GONE),), C.STARTING),
])  # fmt: skip
def test_the_state_of_the_whole(nodes, state):
    assert status.fold(record(*nodes))[0] is state


def test_leaving_wins_over_everything():
    assert status.fold(record(node(S.FAILED), wanted=False))[0] is C.DELETING
    assert status.fold(record(wanted=False))[2] == "removing address and groups"


def test_a_node_without_a_sentence_adds_none():
    assert status.fold(record(node(why="")))[2] == ""


@pytest.mark.parametrize(("mode", "nodes", "address", "url"), [
    (AddressMode.ELASTIC, (), ADDRESS, "ec2-198-18-88-7.compute-1.amazonaws.com"),
    (AddressMode.ELASTIC, (), Address(), ""),
    (AddressMode.AUTO, (launched(),), Address(), "ec2-198-18-88-7.compute-1.amazonaws.com"),
    (AddressMode.AUTO, (), Address(), ""),
    (AddressMode.PRIVATE, (launched(),), Address(), "10.88.1.4"),
    (AddressMode.PRIVATE, (), Address(), ""),
])  # fmt: skip
def test_the_url(mode, nodes, address, url):
    cluster = record(*nodes, spec=Spec(address_mode=mode), address=address)
    assert told(cluster, SITE, NOW).milvus_url == url


@pytest.mark.parametrize(("region", "suffix"), [
    ("us-east-1", "compute-1.amazonaws.com"),
    ("eu-west-1", "eu-west-1.compute.amazonaws.com"),
    ("cn-north-1", "cn-north-1.compute.amazonaws.com.cn"),
])  # fmt: skip
def test_names_by_region(region, suffix):
    assert status.dns_suffix(region) == suffix


def test_the_subnet_is_that_of_the_launch():
    assert told(record(node(), launched()), SITE, NOW).subnet_id == "subnet-a"
    assert told(record(node()), SITE, NOW).subnet_id == ""


def test_a_condition_keeps_its_time_while_it_stays_so():
    first = with_condition(record(), "X", ok=False, now=NOW)
    assert with_condition(first, "X", ok=False, now=NOW + 1).condition("X").since_ms == NOW
    assert with_condition(first, "X", ok=True, now=NOW + 1).condition("X").since_ms == NOW + 1
    again = with_condition(first, "X", ok=False, now=NOW + 1, restart=True)
    assert again.condition("X").since_ms == NOW + 1
    assert not record().holds("X")


# operations -------------------------------------------------------------------------------------


def progress(cluster, before=None, installs=None, **more):
    return progressed(told(cluster, SITE, NOW), before, installs or {}, NOW, **more)


def states(operation):
    return {step.name: step.state.value for step in operation.steps}


def test_no_operation_no_progress():
    assert progress(record(operation_id="")) is None


def test_the_first_steps_run_side_by_side():
    bare = record(node(), groups=(), address=Address())
    found = progress(bare)
    assert (found.operation_id, found.type, found.state) == ("op-1", "create-cluster", O.RUNNING)
    assert states(found) == {
        "validate": "succeeded",
        "address": "running",
        "security-groups": "running",
        "launch-instances": "running",
        "wait-ssh": "pending",
        "install-milvus": "pending",
        "health-check": "pending",
        "publish-endpoint": "pending",
    }
    assert found.steps[1].description == "allocating an address"


@pytest.mark.parametrize(("n", "running", "least"), [
    (node(), "launch-instances", 10),
    (launched(), "launch-instances", 10),
    (launched(why="waiting for SSH"), "wait-ssh", 25),
    (launched(S.LOADING), "install-milvus", 35),
    (launched(S.LOADING, install_step="installed"), "health-check", 80),
    (launched(retiring=True), "launch-instances", 10),
])  # fmt: skip
def test_how_far(n, running, least):
    found = progress(record(n))
    assert states(found)[running] == "running"
    assert found.progress == least
    assert list(states(found).values()).count("running") == 1


def test_the_install_moves_the_bar_and_speaks():
    install = {TOKEN: InstallFact(running=True, step="unpack", done=2, total=4)}
    found = progress(record(launched(S.LOADING)), installs=install)
    assert found.progress == 35 + 22
    step = next(s for s in found.steps if s.name == "install-milvus")
    assert step.description == "unpack (2/4)"
    silent = progress(record(launched(S.LOADING)), before=found)
    assert silent.progress == found.progress
    assert silent.steps == found.steps


def test_done():
    found = progress(record(launched(S.RUNNING)))
    assert (found.state, found.progress, found.ended_at_ms) == (O.SUCCEEDED, 100, NOW)
    assert set(states(found).values()) == {"succeeded"}
    texts = {s.name: s.description for s in found.steps}
    assert texts["address"] == ADDRESS.public_ip
    assert texts["launch-instances"] == "i-1"
    assert texts["publish-endpoint"].endswith(":19530")
    later = progressed(record(node(S.FAILED)), found, {}, NOW + MINUTE)
    assert later == found


def test_failed():
    before = progress(record(launched(S.LOADING)))
    failed = record(launched(S.FAILED, reason="DISK_FULL", why="no room"))
    found = progress(failed, before)
    assert (found.state, found.reason) == (O.FAILED, "DISK_FULL")
    assert states(found)["install-milvus"] == "failed"
    assert states(found)["health-check"] == "cancelled"
    assert found.progress < 100
    assert "no room" in found.description


def test_a_trouble_is_told_in_the_step():
    silent = with_condition(record(node()), "CloudAnswers", ok=False, now=NOW, reason="CLOUD_AWAY",
                            description="EC2 is silent")  # fmt: skip
    assert "EC2 is silent" in {s.description for s in progress(silent).steps}


def test_without_an_elastic_address_there_is_no_such_step():
    cluster = record(node(), spec=Spec(address_mode=AddressMode.AUTO))
    assert "address" not in states(progress(cluster))
    cluster = record(spec=Spec(address_mode=AddressMode.AUTO, wanted=False))
    assert "release-address" not in states(progress(cluster))


def test_a_deletion():
    leaving = record(launched(S.RUNNING), wanted=False)
    first = progress(leaving)
    assert first.type == "delete-cluster"
    assert states(first)["close-whitelist"] == "running"
    closed = with_condition(leaving, WHITELIST_CLOSED, ok=True, now=NOW)
    assert states(progress(closed, first))["terminate-instances"] == "running"
    ended = replace(closed, nodes=(launched(S.GONE),))
    found = progress(ended, first)
    assert (states(found)["release-address"], states(found)["drop-groups"]) == (
        "running",
        "running",
    )
    dropped = with_condition(ended, GROUPS_DROPPED, ok=True, now=NOW)
    assert progress(dropped, first).state is O.RUNNING
    released = replace(dropped, address=Address())
    assert progress(released, first).state is O.RUNNING  # the record itself still stands
    assert progress(dropped, first, gone=True).state is O.SUCCEEDED


def test_a_newer_wish_has_an_operation_of_its_own():
    old = Operation("op-0", "create-cluster", O.RUNNING)
    found = progress(record(launched(S.RUNNING), wanted=False), old)
    assert (found.operation_id, found.type) == ("op-1", "delete-cluster")


def test_an_operation_of_another_sort_is_left_alone():
    other = Operation("op-1", "set-whitelist", O.RUNNING)
    assert progress(record(node()), other) == other


ladder = [
    node(),
    launched(),
    launched(why="waiting for SSH"),
    launched(S.LOADING),
    launched(retiring=True),
    launched(S.LOADING, install_step="installed"),
    launched(S.RUNNING),
]


@given(st.lists(st.sampled_from(ladder), max_size=8))
def test_progress_never_falls(way):
    operation, last = None, 0
    for n in way:
        operation = progress(record(n), operation)
        assert last <= operation.progress <= 100
        last = operation.progress
        for step in operation.steps:
            assert bool(step.ended_at_ms) == (step.state not in {O.PENDING, O.RUNNING})


# stories ----------------------------------------------------------------------------------------


def kinds(before, after):
    return [event.type for event in story(before, after, NOW)]


def test_the_story():
    bare = record(groups=(), address=Address())
    born = replace(bare, nodes=(node(),))
    assert kinds(bare, born) == ["NodeStarting"]
    grounded = record(node())
    assert kinds(born, grounded) == ["AddressAllocated", "GroupsReady"]
    assert kinds(grounded, grounded) == []
    up = record(launched())
    assert kinds(grounded, up) == ["NodeLaunched"]
    assert kinds(up, record(launched(retiring=True))) == ["NodeRetiring"]
    assert kinds(up, record(node(attempt=2))) == ["NodeRenewed"]
    failed = replace(record(launched(S.FAILED, retiring=True)), state=C.FAILED, reason="X")
    assert kinds(up, failed) == ["NodeFailed", "ClusterFailed"]
    assert kinds(record(launched(S.FAILED)), record(launched(S.FAILED, retiring=True))) == []
    assert intent().client_token == TOKEN


def test_a_machine_left_alone_is_told_once():
    before = record(wanted=False)

    def left_alone(ids):
        return with_condition(before, ALL_PROVEN, ok=False, now=NOW, reason="X", description=ids)

    assert kinds(before, left_alone("i-9")) == ["MachineLeftAlone"]
    assert kinds(left_alone("i-9"), left_alone("i-9")) == []
    assert kinds(left_alone("i-9"), left_alone("i-8, i-9")) == ["MachineLeftAlone"]
    assert kinds(left_alone("i-9"), with_condition(before, ALL_PROVEN, ok=True, now=NOW)) == []
