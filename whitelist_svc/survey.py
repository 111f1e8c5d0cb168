"""Whitelists as EC2 alone tells of them, for a registry that was lost. Pure.

Notes and ends of entries stand in the registry only: what comes back stays until it is changed.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from kite.ports import numbers
from whitelist_svc import groups
from whitelist_svc.groups import Group, Kind
from whitelist_svc.rules import Entry


@dataclass(frozen=True, slots=True)
class Seen:
    """The groups of one cluster, and the whitelist in force; `strange` are rules made by hand."""

    cluster_id: str
    groups: tuple[tuple[Kind, Group], ...]
    entries: tuple[Entry, ...] = ()
    strange: tuple[str, ...] = ()


def survey(standing: Iterable[Group], *, install: str, web_gui: int) -> tuple[Seen, ...]:
    """One per cluster, in order of id; the group of the whole install belongs to each."""
    base = groups.base(install).name
    bases = list[Group]()
    ours = defaultdict[str, list[tuple[Kind, Group]]](list)
    for group in standing:
        cluster_id = group.owner.cluster_id
        if group.name == base:
            bases.append(group)
        elif group.name == groups.whitelist_name(cluster_id):
            ours[cluster_id].append((Kind.WHITELIST, group))
        elif group.name == groups.peers_name(cluster_id):
            ours[cluster_id].append((Kind.PEERS, group))
    common = [(Kind.BASE, group) for group in bases]
    return tuple(
        _seen(cluster_id, (*common, *found), web_gui) for cluster_id, found in sorted(ours.items())
    )


def _seen(cluster_id: str, found: tuple[tuple[Kind, Group], ...], web_gui: int) -> Seen:
    types = {port: kind for kind, port in numbers(web_gui=web_gui).items()}
    entries, strange = dict[Entry, None](), list[str]()
    for kind, group in found:
        if kind is not Kind.WHITELIST:
            continue
        for rule in group.rules:
            if rule.ours and rule.key is not None and rule.key.port in types:
                entries[Entry(rule.key.cidr, types[rule.key.port])] = None
            else:
                strange.append(rule.text)
    return Seen(cluster_id, found, tuple(entries), tuple(strange))
