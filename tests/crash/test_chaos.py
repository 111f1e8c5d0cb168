"""`make chaos`, short: the whole program, and that it can fail."""

import os
import subprocess
import sys

import pytest

from localcloud import leftovers
from tests.chaos import audit
from tests.chaos.grounds import GROUND
from tests.chaos.plan import Do, plan
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
    assert all(2 <= one.at < 300 for one in first)


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
        ([], sight(instances=[], volumes=[], interfaces=[], groups=[]), {"addresses"}),
    ],
)  # fmt: skip
def test_an_audit_names_what_differs(documents, seen, kinds):
    assert found(documents, seen) == kinds
