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
    "security-groups": [
        {"group-id": "sg-0", "kind": "base"},
        {"group-id": "sg-1", "kind": "whitelist"},
        {"group-id": "sg-2", "kind": "peers"},
    ],
}
CONTROL = "10.81.0.1/32"
FAILED = {**CLUSTER, "status": "failed", "reason": "MILVUS_NOT_HEALTHY"}
RULES = "rules"


def tcp(first, last=None, protocol="tcp", **peers):
    """A permission as EC2 shows it."""
    last = first if last is None else last
    none = {"IpRanges": [], "Ipv6Ranges": [], "UserIdGroupPairs": [], "PrefixListIds": []}
    return {"IpProtocol": protocol, "FromPort": first, "ToPort": last, **none, **peers}


def cidr(source):
    return {"IpRanges": [{"CidrIp": source}]}


BASE = [tcp(22, **cidr(CONTROL)), tcp(19530, **cidr(CONTROL))]
LIST = [tcp(19530, **cidr("192.0.2.1/32"))]
AMONG = [{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": "sg-2"}]}]


def groups(base=BASE, whitelist=LIST, peers=AMONG):
    return [
        {"GroupId": f"sg-{n}", "IpPermissions": one}
        for n, one in enumerate((base, whitelist, peers))
    ]


def sight(**other):
    tags = [{"Key": "kite:cluster", "Value": "c1"}, {"Key": "kite:slot", "Value": "0"}]
    there = {
        "instances": [{"InstanceId": "i-1", "Tags": tags}],
        "volumes": [{"VolumeId": v, "Attachments": [{"InstanceId": "i-1"}]} for v in ("a", "b")],
        "addresses": [{"PublicIp": "198.18.80.1", "InstanceId": "i-1", "Tags": tags}],
        "interfaces": [{"NetworkInterfaceId": "eni-1", "Attachment": {"InstanceId": "i-1"}}],
        "groups": groups(),
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


def found(documents, seen, disturbed=()):
    rows = audit.compare(documents, [], seen, disturbed=disturbed, control=[CONTROL])
    return {row.kind for row in rows if not row.fine}


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
        ([{**CLUSTER, "sources": []}], sight(), {RULES}),
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


HOLES = [
    tcp(19530, Ipv6Ranges=[{"CidrIpv6": "::/0"}]),
    tcp(19530, **cidr("0.0.0.0/0")),
    tcp(9091, **cidr("192.0.2.1/32")),
    tcp(19530, 65535, **cidr("192.0.2.1/32")),
    tcp(1, 19530, **cidr("192.0.2.1/32")),
    tcp(19530, protocol="udp", **cidr("192.0.2.1/32")),
    tcp(19530, UserIdGroupPairs=[{"GroupId": "sg-9"}]),
    tcp(19530, PrefixListIds=[{"PrefixListId": "pl-1"}]),
    {"IpProtocol": "-1", **cidr("192.0.2.1/32")},
]


@pytest.mark.parametrize("kind", ["base", "whitelist", "peers"])
@pytest.mark.parametrize("hole", HOLES, ids=range(len(HOLES)))
def test_an_audit_sees_every_hole_in_every_group(kind, hole):
    whole = {"base": BASE, "whitelist": LIST, "peers": AMONG}[kind]
    assert found([CLUSTER], sight(groups=groups(**{kind: [*whole, hole]}))) == {RULES}


@pytest.mark.parametrize("kind", ["base", "whitelist", "peers"])
def test_an_audit_misses_what_a_group_should_let_in(kind):
    assert found([CLUSTER], sight(groups=groups(**{kind: []}))) == {RULES}


def test_a_range_of_ports_in_place_of_one_is_missing_and_extra():
    wider = [tcp(19530, 65535, **cidr("192.0.2.1/32"))]
    rows = audit.compare([CLUSTER], [], sight(groups=groups(whitelist=wider)), control=[CONTROL])
    row = next(row for row in rows if row.kind == RULES)
    assert (row.missing, row.extra) == (
        ["cats whitelist tcp 19530-19530 192.0.2.1/32"],
        ["cats whitelist tcp 19530-65535 192.0.2.1/32"],
    )


@pytest.mark.parametrize(
    ("document", "disturbed", "kinds"),
    [
        (FAILED, (), {"clusters at rest"}),
        (FAILED, {"c2"}, {"clusters at rest"}),
        (FAILED, {"c1"}, set()),
        ({**FAILED, "reason": ""}, {"c1"}, {"clusters at rest"}),
        ({**CLUSTER, "status": "loading"}, {"c1"}, {"clusters at rest"}),
    ],
)
def test_a_cluster_may_fail_only_where_its_machine_was_met(document, disturbed, kinds):
    assert found([document], sight(), disturbed) == kinds


def test_whose_machine_was_met_is_known_from_every_machine_there_was(tmp_path):
    chaos = Chaos(Wanted(1, "x", 0, 1, 1, 1, 1, tmp_path), console=None)
    chaos.launched = {
        ("c1", "0", "1"): {"i-1"},
        ("c1", "0", "2"): {"i-2"},
        ("c2", "0", "1"): {"i-3"},
    }
    chaos.hosts = SimpleNamespace(met={"i-1", "i-9"})
    assert chaos._disturbed() == {"c1"}
