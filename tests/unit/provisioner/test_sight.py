"""One word per node, and where it is met."""

import pytest

from provisioner import sight
from provisioner.facts import Answer, InstallFact, Machine, Reach
from provisioner.node import OTHER_LAUNCH, Life, Saw
from provisioner.record import Address, AddressMode, NodeState, Role, Spec
from tests.unit.provisioner.shapes import (
    ADDRESS,
    GROUPS,
    SITE,
    facts,
    intent,
    launched,
    machine,
    node,
    record,
    token_of,
)

S = NodeState
TOKEN = token_of()


def word(n, f, **more):
    return sight.saw(record(n, **more), n, f, install_tries=3)


@pytest.mark.parametrize(("n", "wanted", "life"), [
    (node(), True, Life.STARTING),
    (node(S.LOADING), True, Life.LOADING),
    (node(S.RUNNING), True, Life.RUNNING),
    (node(retiring=True), True, Life.REPLACING),
    (node(S.FAILED, retiring=True), True, Life.FAILED),
    (node(S.FAILED), False, Life.LEAVING),
    (node(S.RUNNING), False, Life.LEAVING),
    (node(S.GONE), True, Life.GONE),
    (node(S.GONE), False, Life.GONE),
])  # fmt: skip
def test_life(n, wanted, life):
    assert sight.life(n, wanted=wanted) is life


@pytest.mark.parametrize(("n", "saw"), [
    (node(), Saw.NOTHING),
    (node(S.FAILED, instance_id="i-1"), Saw.NOTHING),
    (node(intent=intent()), Saw.ASKED),
    (node(intent=intent(), reason=OTHER_LAUNCH), Saw.USED),
    (node(intent=intent(client_token="")), Saw.REFUSED),
    (node(intent=intent(), reason=sight.GROUP_MISSING), Saw.ASKED),
    (node(intent=intent(security_group_ids=("sg-9",)), reason=sight.GROUP_MISSING), Saw.ENDED),
    (node(intent=intent(security_group_ids=("sg-9",))), Saw.ASKED),
    (launched(), Saw.UNSEEN),
])  # fmt: skip
def test_without_a_machine_in_sight(n, saw):
    assert word(n, facts()) is saw


def test_missing_groups_are_not_judged_before_they_are_made_anew():
    n = node(intent=intent(), reason=sight.GROUP_MISSING)
    assert word(n, facts(), groups=()) is Saw.ASKED


@pytest.mark.parametrize(("state", "saw"), [
    (Machine.PENDING, Saw.PENDING),
    (Machine.STOPPING, Saw.STOPPED),
    (Machine.STOPPED, Saw.STOPPED),
    (Machine.SHUTTING_DOWN, Saw.ENDING),
    (Machine.TERMINATED, Saw.ENDED),
    (Machine.RUNNING, Saw.BOOTING),
])  # fmt: skip
def test_machine_states(state, saw):
    assert word(launched(), facts(machine(state))) is saw


def install(**more):
    return {TOKEN: InstallFact(**({"running": False} | more))}


@pytest.mark.parametrize(("n", "more", "saw"), [
    (launched(), {"ssh": frozenset({TOKEN})}, Saw.REACHABLE),
    (launched(S.LOADING), {}, Saw.REACHABLE),
    (launched(), {"installs": install(running=True)}, Saw.INSTALLING),
    (launched(), {"installs": install(ok=True)}, Saw.INSTALLED),
    (launched(), {"installs": install(reason="UNREACHABLE", tries=2)}, Saw.STUMBLED),
    (launched(), {"installs": install(reason="UNREACHABLE", tries=3)}, Saw.BROKEN),
    (launched(), {"installs": install(reason="DISK_FULL")}, Saw.BROKEN),
    (launched(S.LOADING, install_step="installed"), {}, Saw.INSTALLED),
    (launched(S.RUNNING), {"answers": {TOKEN: Answer.SILENT}}, Saw.INSTALLED),
    (launched(S.RUNNING), {"answers": {TOKEN: Answer.UNSECURED}}, Saw.UNSECURED),
    (launched(S.RUNNING), {"answers": {TOKEN: Answer.ANSWERS}}, Saw.ANSWERS),
])  # fmt: skip
def test_services_on_a_running_machine(n, more, saw):
    assert word(n, facts(machine(), **more)) is saw


@pytest.mark.parametrize(("mode", "reach", "role", "address", "met"), [
    (AddressMode.ELASTIC, Reach.PUBLIC, Role.MASTER, ADDRESS, ADDRESS.public_ip),
    (AddressMode.ELASTIC, Reach.PUBLIC, Role.MASTER, Address("a", "198.18.88.7"), ""),
    (AddressMode.ELASTIC, Reach.PUBLIC, Role.WORKER, ADDRESS, "198.18.88.9"),
    (AddressMode.ELASTIC, Reach.PRIVATE, Role.MASTER, ADDRESS, "10.88.1.4"),
    (AddressMode.AUTO, Reach.PUBLIC, Role.MASTER, Address(), "198.18.88.9"),
    (AddressMode.PRIVATE, Reach.PUBLIC, Role.MASTER, Address(), "10.88.1.4"),
])  # fmt: skip
def test_where_a_machine_is_met(mode, reach, role, address, met):
    from dataclasses import replace

    n = launched(role=role, public_ip="198.18.88.9")
    cluster = record(n, spec=Spec(address_mode=mode), address=address)
    assert sight.met_at(cluster, n, replace(SITE, reach=reach)) == met


def test_groups_have_an_order_of_their_own():
    assert sight.group_ids(record(groups=GROUPS)) == ("sg-1", "sg-2")


def test_all_gone():
    assert sight.all_gone(record())
    assert sight.all_gone(record(node(S.GONE)))
    assert not sight.all_gone(record(node(S.GONE), node(S.FAILED)))
