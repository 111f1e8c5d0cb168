"""Records and facts to decide on, built short."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from provisioner.cluster import decide
from provisioner.facts import Facts, InstanceFact, Leftovers, Machine, Place, Site
from provisioner.limits import Limits
from provisioner.nodes import born
from provisioner.offers import offers
from provisioner.plan import Plan
from provisioner.record import Address, Group, Intent, Node, NodeState, Record, Spec
from provisioner.tokens import token

NOW = 1_800_000_000_000
SECOND, MINUTE = 1_000, 60_000
LIMITS = Limits()
CLUSTER, INSTALL = "cabcdefgh", "test"
SITE = Site(
    install=INSTALL,
    image_id="ami-1",
    vpc_id="vpc-1",
    places=(Place("subnet-a", "us-east-1a"), Place("subnet-b", "us-east-1b")),
    key_pair="kite-test",
)
GROUPS = (
    Group("sg-base", "kite-base-test", "sg-2", "base"),
    Group("sg-cats", f"kite-{CLUSTER}", "sg-1", "whitelist"),
)
ADDRESS = Address("eipalloc-1", "198.18.88.7", "eipassoc-1")
ID = "i-1"
ASKING = "asking EC2 for a machine"
EVERY = offers("m5.large", SITE.places)


def token_of(attempt: int = 1, slot: int = 0) -> str:
    return token(INSTALL, CLUSTER, slot, attempt)


def intent(attempt: int = 1, **more: Any) -> Intent:
    plain = Intent(
        client_token=token_of(attempt),
        image_id="ami-1",
        instance_type="m5.large",
        subnet_id="subnet-a",
        security_group_ids=("sg-1", "sg-2"),
        key_pair="kite-test",
        root_gib=20,
        data_gib=50,
        public_address=False,
        user_data_hash=f"hash-{token_of(attempt)}",
        decided_at_ms=NOW,
        root_device="/dev/sda1",
    )
    return replace(plain, **more)


def node(state: NodeState = NodeState.STARTING, **more: Any) -> Node:
    """A slot before its first launch, unless `more` tells otherwise."""
    return replace(born(INSTALL, CLUSTER, 0, NOW), state=state, **more)


def launched(state: NodeState = NodeState.STARTING, **more: Any) -> Node:
    """A slot with a machine."""
    given = {
        "intent": intent(),
        "instance_id": ID,
        "key_pair": "kite-test",
        "public_ip": ADDRESS.public_ip,
        "private_ip": "10.88.1.4",
        "launched_at_ms": NOW,
        "launches_ms": (NOW,),
    }
    return node(state, **(given | more))


def record(*nodes: Node, wanted: bool = True, **more: Any) -> Record:
    """A cluster with groups and address, unless `more` tells otherwise."""
    spec = more.pop("spec", Spec(wanted=wanted))
    given = {
        "groups": GROUPS,
        "address": ADDRESS,
        "address_intended": True,
        "operation_id": "op-1",
        "nodes": nodes,
    }
    return Record(CLUSTER, "alice", "cats", spec, **(given | more))


def machine(state: Machine = Machine.RUNNING, **more: Any) -> InstanceFact:
    plain = InstanceFact(ID, state, token=token_of(), private_ip="10.88.1.4")
    return replace(plain, **more)


def facts(*machines: InstanceFact, **more: Any) -> Facts:
    hashes = {token_of(n): f"hash-{token_of(n)}" for n in range(1, 9)}
    given = {"instances": {m.instance_id: m for m in machines}, "hashes": hashes}
    return Facts(more.pop("site", SITE), **(given | more))


def left(**more: Any) -> Leftovers:
    return Leftovers(**({"others": True} | more))


def at_birth(**more: Any) -> Record:
    """A cluster that stands on nothing yet."""
    return record(groups=(), address=Address(), address_intended=False, **more)


def plan(cluster: Record, seen: Facts, now: int = NOW) -> Plan:
    return decide(cluster, seen, LIMITS, now)


def only(found: Plan) -> Node:
    """The one node of a plan."""
    (one,) = found.record.nodes
    return one


def waiting(n: Node, seen: Facts, now: int = NOW) -> Node:
    """The node after one turn, so that its wait has begun."""
    return only(plan(record(n), seen, now))
