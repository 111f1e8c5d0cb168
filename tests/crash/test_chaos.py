"""`make chaos`, short: the whole program, and that it can fail."""

import os
import subprocess
import sys
import threading
from collections import Counter
from types import SimpleNamespace

import pytest

from kite import tags
from localcloud import leftovers
from tests.chaos import audit
from tests.chaos.grounds import GROUND
from tests.chaos.plan import EACH, ONCE, Do, plan
from tests.chaos.run import LOOKS, MISSED, Chaos, Wanted, unlooked
from tests.worlds.services import ROOT

NAMES = ("registry-1", "provisioner-1", "provisioner-2", "whitelist-1", "bff-1")


def chaos(*options):
    return subprocess.run(
        (sys.executable, "-m", "tests.chaos", *options),
        cwd=ROOT, capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip


@pytest.mark.localcloud
@pytest.mark.timeout(520)
@pytest.mark.skipif(os.geteuid() != 0, reason="the local cloud needs root")
def test_a_short_chaos_with_hosts_ends_as_recorded():
    done = chaos("--seconds", "40", "--seed", "ci", "--hosts", "2")
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]
    assert "all as recorded" in done.stdout
    assert leftovers.find(GROUND).lines() == []


def test_the_same_seed_plans_the_same_trouble():
    first, again = (plan("7", 300, NAMES, hosts=2, database=True) for _ in range(2))
    assert first == again != plan("8", 300, NAMES, hosts=2, database=True)
    assert {one.do for one in first} == set(Do)
    assert {one.for_good for one in first if one.do is Do.STOP_HOST} == {True, False}
    without = {one.do for one in plan("7", 300, NAMES, hosts=0, database=False)}
    assert without == set(Do) - {Do.CUT_HOST, Do.REBOOT_HOST, Do.KILL_DATABASE}
    assert all(2 <= one.at < 300 for one in first)


@pytest.mark.parametrize(
    ("seed", "seconds"), [("ci", 40), *((str(seed), 60) for seed in range(20))]
)
def test_every_service_is_killed_frozen_and_restarted(seed, seconds):
    """The 40 seconds are those of the run above."""
    met = {
        (one.target.rpartition("-")[0], one.do)
        for one in plan(seed, seconds, NAMES, hosts=2, database=False)
    }
    services = {name.rpartition("-")[0] for name in NAMES}
    assert {(service, do) for service in services for do in EACH} <= met


@pytest.mark.parametrize("seed", [str(seed) for seed in range(20)])
def test_some_host_is_stopped_and_some_is_rebooted(seed):
    assert set(ONCE) <= {one.do for one in plan(seed, 90, NAMES, hosts=2, database=False)}


@pytest.mark.parametrize(
    ("counts", "good"),
    [({}, False), ({LOOKS: 1}, True), ({MISSED: 9}, False), ({LOOKS: 2, MISSED: 3}, False),
     ({LOOKS: 3, MISSED: 3}, True)],
)  # fmt: skip
def test_who_never_looked_has_seen_no_double(counts, good):
    assert (unlooked(Counter(counts)) == []) is good


def test_a_thread_that_ends_by_a_defect_is_told(tmp_path):
    chaos = Chaos(Wanted(1, "x", 0, 1, 1, 1, 1, tmp_path), console=None)
    chaos.cloud = None
    chaos._tended(chaos._sample, over=None)
    assert chaos.faults[0].startswith("sample ended: AttributeError")


def test_a_machine_without_tags_yet_is_no_double(tmp_path):
    marks = {tags.CLUSTER: "c1", tags.SLOT: "0", tags.ATTEMPT: "1"}
    shown = [{"InstanceId": "i-1"}, {"InstanceId": "i-2"},
             {"InstanceId": "i-3", "Tags": tags.pack(marks)}]  # fmt: skip
    pages = SimpleNamespace(paginate=lambda: [{"Reservations": [{"Instances": shown}]}])
    chaos = Chaos(Wanted(1, "x", 0, 1, 1, 1, 1, tmp_path), console=None)
    chaos.cloud = SimpleNamespace(ec2=SimpleNamespace(get_paginator=lambda _: pages))
    chaos._note_machines()
    assert chaos.launched == {("c1", "0", "1"): {"i-3"}}


def test_a_user_who_never_ends_is_told(tmp_path, monkeypatch):
    free = threading.Event()
    chaos = Chaos(Wanted(1, "x", 0, 1, 1, 1, 1, tmp_path), console=None)
    chaos.users = [SimpleNamespace(name="user-1", run=lambda stop: free.wait(60))]
    monkeypatch.setattr("tests.chaos.run.USERS_SECONDS", 0)
    monkeypatch.setattr(chaos, "_disturb", lambda: None)
    monkeypatch.setattr(chaos, "_soothe", lambda: None)
    chaos._trouble()
    free.set()
    assert chaos.faults == ["user-1 never ended"]


SLOTS = "slots, one machine each"
CLUSTER = {
    "username": "alice",
    "milvus-name": "cats",
    "cluster-id": "c1",
    "status": "running",
    "reason": "",
    "why": "",
    "sources": ["192.0.2.1/32"],
    "instances": [
        {"instance-id": "i-1", "status": "running", "node-type": "master", "slot": 0},
    ],
    "security-groups": [{"group-id": "sg-1", "kind": "whitelist"}],
}


def sight(**other):
    tags = [{"Key": "kite:cluster", "Value": "c1"}, {"Key": "kite:slot", "Value": "0"}]
    rule = {"FromPort": 19530, "IpRanges": [{"CidrIp": "192.0.2.1/32"}]}
    there = {
        "instances": [{"InstanceId": "i-1", "Tags": tags}],
        "volumes": [{"VolumeId": v, "Attachments": [{"InstanceId": "i-1"}]} for v in ("a", "b")],
        "addresses": [{"PublicIp": "198.18.80.1", "InstanceId": "i-1", "Tags": tags}],
        "interfaces": [{"NetworkInterfaceId": "eni-1", "Attachment": {"InstanceId": "i-1"}}],
        "groups": [{"GroupId": "sg-1", "IpPermissions": [rule]}],
        "keys": [],
    }
    return audit.Sight(**{**there, **other})


STOPPED = "instances told to be stopped"
DOWN = [{**sight().instances[0], "State": {"Name": "stopped"}}]
HALTED = {
    **CLUSTER,
    "status": "degraded",
    "reason": audit.STOPPED,
    "instances": [{**CLUSTER["instances"][0], "reason": audit.STOPPED}],
}


def found(documents, seen):
    return {row.kind for row in audit.compare(documents, [], seen) if not row.fine}


def test_an_audit_without_differences_finds_none():
    assert found([CLUSTER], sight()) == set()


@pytest.mark.parametrize(
    ("documents", "seen", "kinds"),
    [
        ([CLUSTER], sight(instances=[]), {"instances"}),
        ([CLUSTER], sight(instances=sight().instances * 2), {"instances", SLOTS}),
        ([CLUSTER], sight(volumes=sight().volumes[:1]), {"volumes"}),
        ([CLUSTER], sight(volumes=[*sight().volumes, {"VolumeId": "c", "Attachments": []}]),
         {"volumes"}),
        ([CLUSTER], sight(addresses=[]), {"addresses"}),
        ([CLUSTER], sight(addresses=sight().addresses * 2), {"addresses"}),
        ([CLUSTER], sight(addresses=[{**sight().addresses[0], "InstanceId": ""}]), {"addresses"}),
        ([CLUSTER], sight(interfaces=[]), {"interfaces"}),
        ([CLUSTER], sight(groups=[]), {"security groups"}),
        ([CLUSTER], sight(groups=[{"GroupId": "sg-1", "IpPermissions": []}]), {"whitelist rules"}),
        ([{**CLUSTER, "sources": []}], sight(), {"whitelist rules"}),
        ([CLUSTER], sight(keys=[{"KeyName": "kite"}]), {"key pairs"}),
        ([{**CLUSTER, "status": "loading"}], sight(), {"clusters at rest"}),
        ([{**CLUSTER, "status": "degraded"}], sight(), {"clusters at rest"}),
        ([HALTED], sight(), {STOPPED}),
        ([CLUSTER], sight(instances=DOWN), {STOPPED}),
        ([HALTED], sight(instances=DOWN), set()),
        ([], sight(instances=[], volumes=[], interfaces=[], groups=[]), {"addresses"}),
    ],
)  # fmt: skip
def test_an_audit_names_what_differs(documents, seen, kinds):
    assert found(documents, seen) == kinds
