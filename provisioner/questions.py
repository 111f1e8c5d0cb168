"""What must be looked at before the next decision. Pure.

Asking little is what keeps a turn cheap: instances by id in one batch, tags only where an id is
missing or a deletion is about to be declared complete.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from provisioner.facts import Site
from provisioner.limits import HOUR_MS
from provisioner.node import OTHER_LAUNCH, Life
from provisioner.record import Node, NodeState, Record
from provisioner.sight import INSTALLED, all_gone, life, met_at
from provisioner.tokens import token


@dataclass(frozen=True, slots=True)
class Questions:
    """`ids` of instances; `tokens` whose instance is looked for; `hash_tokens` to be frozen soon.

    `ssh` and `milvus` map token to address. `installs` are tokens.
    """

    ids: tuple[str, ...] = ()
    tokens: tuple[str, ...] = ()
    address: bool = False
    ssh: Mapping[str, str] = field(default_factory=dict)
    milvus: Mapping[str, str] = field(default_factory=dict)
    installs: tuple[str, ...] = ()
    hash_tokens: tuple[str, ...] = ()
    leftovers: bool = False


def questions(record: Record, site: Site, now: int) -> Questions:
    """What to look at for this cluster in this turn."""
    wanted = record.spec.wanted
    nodes = [n for n in record.nodes if _has_machine(n)]
    growing = [n for n in nodes if n.instance_id and life(n, wanted=wanted) in _GROWING]
    met = {n.token: met_at(record, n, site) for n in growing}
    by_token = {n.token: n for n in growing}
    return Questions(
        ids=tuple(n.instance_id for n in nodes if n.instance_id),
        tokens=tuple(n.token for n in nodes if not n.instance_id and _lost(n, now, wanted=wanted)),
        address=record.elastic and record.address_intended and not record.address.allocation_id,
        ssh={t: a for t, a in met.items() if a and by_token[t].state is NodeState.STARTING},
        milvus={t: a for t, a in met.items() if a and _installed(by_token[t])},
        installs=tuple(t for t in met if not _installed(by_token[t])),
        hash_tokens=_hash_tokens(record, site),
        leftovers=not wanted and all_gone(record),
    )


_GROWING = frozenset({Life.STARTING, Life.LOADING, Life.RUNNING})


def _has_machine(node: Node) -> bool:
    if node.state is NodeState.GONE or (node.state is NodeState.FAILED and not node.retiring):
        return False
    return bool(node.instance_id) or node.intent is not None


def _installed(node: Node) -> bool:
    return node.install_step == INSTALLED or node.state is NodeState.RUNNING


def _lost(node: Node, now: int, *, wanted: bool) -> bool:
    """The answer to a launch is missing and repeating the launch is not the way to find out."""
    if node.intent is None or not node.intent.client_token:
        return False
    growing = life(node, wanted=wanted) in _GROWING
    if node.reason == OTHER_LAUNCH:
        return True
    return not growing or now - node.intent.decided_at_ms > HOUR_MS


def _hash_tokens(record: Record, site: Site) -> tuple[str, ...]:
    if not record.spec.wanted:
        return ()
    return tuple(
        token(site.install, record.cluster_id, node.slot, attempt)
        for node in record.nodes
        if not node.instance_id
        for attempt in (node.attempt, node.attempt + 1)
    )
