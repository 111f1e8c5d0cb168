"""The wish beside what is in force, line by line. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from kite.ports import numbers
from whitelist_svc.change import Held
from whitelist_svc.rules import Entry

OPEN_CONNECTIONS = (
    "Connections that are open already are not cut; the new list counts for new ones."
)
NOT_YET = "The cluster has no security group yet; the list comes into force with it."
PUBLIC = "This list opens the cluster to a very wide range, on your request."
BEING_APPLIED = "Part of the change is not visible in EC2 yet and is being applied."
REVOKED_FIRST = (
    "The group was full, so old rules were closed before new ones were opened; "
    "for a moment fewer sources could connect."
)


class State(StrEnum):
    """Where one entry stands; UNKNOWN when EC2 could not be asked."""

    UNKNOWN = "unknown"
    AUTHORIZING = "authorizing"
    AUTHORIZED = "authorized"
    REVOKING = "revoking"


@dataclass(frozen=True, slots=True)
class Line:
    """`rule_id` is sgr-... and empty while the entry is not in force."""

    entry: Entry
    rule_id: str
    state: State


def lines(
    entries: Sequence[Entry], held: Iterable[Held] | None, *, web_gui: int
) -> tuple[Line, ...]:
    """Every wished entry in its order, then what is open though not wished.

    Args:
        entries: the live wish.
        held: rules in force; None when EC2 could not be asked.
        web_gui: port of milvus-em-port.
    """
    if held is None:
        return tuple(Line(entry, "", State.UNKNOWN) for entry in entries)
    port = numbers(web_gui=web_gui)
    kind = {number: name for name, number in port.items()}
    left = {
        (one.key.cidr, kind[one.key.port]): one.rule_id
        for one in held
        if one.key is not None and one.key.port in kind
    }
    wished = []
    for entry in entries:
        rule_id = left.pop((entry.cidr, entry.port_type), "")
        state = State.AUTHORIZED if rule_id else State.AUTHORIZING
        wished.append(Line(entry, rule_id, state))
    extra = (Line(Entry(*pair), rule_id, State.REVOKING) for pair, rule_id in left.items())
    return (*wished, *extra)
