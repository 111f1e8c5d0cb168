"""Which launch comes next, and what of it is frozen before it is sent. Pure."""

from dataclasses import replace
from typing import assert_never

from provisioner import nodes
from provisioner.facts import Facts, Place, Reach
from provisioner.limits import Limits
from provisioner.node import Life
from provisioner.offers import following, offers
from provisioner.plan import Action, Launch
from provisioner.record import AddressMode, Intent, Node, Offer, Record, Role
from provisioner.sight import NO_CAPACITY, group_ids, life

_STANDING = frozenset({Life.STARTING, Life.LOADING, Life.RUNNING})


def launch(node: Node, *, fresh: bool = False, overdue: bool = False) -> Launch:
    """The launch that is frozen in this node."""
    assert node.intent is not None
    return Launch(node.slot, node.attempt, node.role, node.intent, fresh, overdue)


def reserved(
    record: Record, node: Node, facts: Facts, limits: Limits, now: int
) -> tuple[Node, Action | None]:
    """Freeze the launch when everything it names is there; committed before it is sent."""
    ready = record.groups and (record.address.allocation_id or not record.elastic)
    if not ready:
        return node, None
    site, refused = facts.site, node.intent
    known = _known(record, node, facts)
    offer, attempted = known[0], node
    if refused is not None:
        offer, fresh_round = following(known, refused.offer)
        if fresh_round and now - refused.decided_at_ms < limits.capacity_pause_ms:
            return node, None
        again = nodes.renewed(node, site.install, record.cluster_id, now)
        attempted = replace(node, attempt=again.attempt, token=again.token)
    if attempted.token not in facts.hashes:
        return node, None
    intent = _frozen(record, attempted, offer, facts, now)
    after = replace(attempted, intent=intent, key_pair=site.key_pair)
    return after, launch(after, fresh=True)


def untried(record: Record, node: Node, facts: Facts) -> bool:
    """Whether there is an offer that EC2 has not refused for want of capacity in this wait."""
    if node.reason != NO_CAPACITY:
        return False
    return not set(node.refused).issuperset(_known(record, node, facts))


def _known(record: Record, node: Node, facts: Facts) -> tuple[Offer, ...]:
    return offers(_type_of(record, node), _places(record, node, facts.site.places))


def _places(record: Record, node: Node, every: tuple[Place, ...]) -> tuple[Place, ...]:
    """Where this node may go: beside the machines its cluster has or asked for, else anywhere.

    A launch that was refused has lost its token and holds nobody back; nor does a subnet that the
    settings name no longer.
    """
    beside = {
        other.intent.subnet_id
        for other in record.nodes
        if other.slot != node.slot
        and other.intent is not None
        and other.intent.client_token
        and life(other, wanted=True) in _STANDING
    }
    return tuple(place for place in every if place.subnet_id in beside) or every


def _type_of(record: Record, node: Node) -> str:
    spec = record.spec
    return spec.master_instance_type if node.role is Role.MASTER else spec.worker_instance_type


def _frozen(record: Record, node: Node, offer: Offer, facts: Facts, now: int) -> Intent:
    return Intent(
        client_token=node.token,
        image_id=facts.site.image_id,
        instance_type=offer.instance_type,
        subnet_id=offer.subnet_id,
        security_group_ids=group_ids(record),
        key_pair=facts.site.key_pair,
        root_gib=facts.site.root_gib,
        data_gib=record.spec.disk_gib,
        public_address=_public(record, node, facts),
        user_data_hash=facts.hashes[node.token],
        decided_at_ms=now,
        root_device=facts.site.root_device,
    )


def _public(record: Record, node: Node, facts: Facts) -> bool:
    """Whether EC2 gives the machine a public address: the elastic one is the master's alone."""
    match record.spec.address_mode:
        case AddressMode.AUTO:
            return True
        case AddressMode.PRIVATE:
            return False
        case AddressMode.ELASTIC:
            return node.role is Role.WORKER and facts.site.reach is Reach.PUBLIC
        case _ as never:
            assert_never(never)
