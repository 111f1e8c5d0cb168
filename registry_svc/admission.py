"""May this become a record? Decided on plain values; whoever calls knows the records.

Reads like the contract of seed 000: what a user may ask for, and what the refusal says.
"""

import ipaddress
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum

from kite.epoch import LAST_MS
from kite.errors import AlreadyExists, Conflict, InvalidRequest, OverLimit, WrongState
from kite.ports import PortType
from registry_svc import plans

KEY_LENGTH, HASH_LENGTH, CALL_LENGTH = 255, 128, 64
MOST_RULES = 1000
ORIGINS = ("", "user", "whitelist")


class AddressMode(StrEnum):
    ELASTIC = "elastic"
    AUTO = "auto"
    PRIVATE = "private"


@dataclass(frozen=True, slots=True)
class RuleWish:
    source_ip: str
    port_type: PortType | None
    note: str = ""
    expires_at_ms: int = 0


@dataclass(frozen=True, slots=True)
class Wish:
    """A cluster somebody asks for; names were checked before."""

    user: str
    milvus_name: str
    milvus_type: str
    disk_gib: int
    address_mode: AddressMode
    body_hash: str
    idempotency_key: str = ""
    request_id: str = ""
    rules: tuple[RuleWish, ...] = ()
    call_id: str = ""


@dataclass(frozen=True, slots=True)
class Present:
    """The live cluster that has the name already."""

    body_hash: str
    wanted: bool


def admit(wish: Wish, catalogue: plans.Catalogue) -> plans.Plan:
    """The plan to build by.

    Raises:
        InvalidRequest: UNKNOWN_TYPE, DISK_TOO_SMALL, DISK_TOO_LARGE,
            INVALID_IDEMPOTENCY_KEY, INVALID_RULE.
    """
    if len(wish.idempotency_key) > KEY_LENGTH:
        raise InvalidRequest(
            f"Idempotency-Key must be at most {KEY_LENGTH} characters",
            reason="INVALID_IDEMPOTENCY_KEY",
        )
    if len(wish.body_hash) > HASH_LENGTH:
        raise InvalidRequest(
            f"body_hash must be at most {HASH_LENGTH} characters", field="/body_hash"
        )
    plan = plans.find(catalogue, wish.milvus_type)
    if not plan.min_disk_gib <= wish.disk_gib <= plan.max_disk_gib:
        raise InvalidRequest(
            f"disk-size must be {plan.min_disk_gib} to {plan.max_disk_gib} GiB for type "
            f"{plan.name}, not {wish.disk_gib}",
            reason="DISK_TOO_SMALL" if wish.disk_gib < plan.min_disk_gib else "DISK_TOO_LARGE",
            field="/disk-size",
        )
    check_rules(wish.rules)
    return plan


def check_rules(rules: Collection[RuleWish]) -> None:
    """Refuse what the whitelist service would never hand on.

    Raises:
        InvalidRequest: INVALID_RULE (not canonical, no port type, twice the same, at no date),
            TOO_MANY_RULES.
    """
    if len(rules) > MOST_RULES:
        raise InvalidRequest(
            f"at most {MOST_RULES} rules, not {len(rules)}",
            reason="TOO_MANY_RULES",
            field="/ip-ranges",
        )
    seen: set[tuple[str, PortType | None]] = set()
    for number, rule in enumerate(rules):
        fault = _rule_fault(rule, seen)
        if fault:
            raise InvalidRequest(fault, reason="INVALID_RULE", field=f"/ip-ranges/{number}")
        seen.add((rule.source_ip, rule.port_type))


def check_call(call_id: str) -> None:
    """Refuse an id of a call that no record could hold.

    Raises:
        InvalidRequest: its field is named.
    """
    if len(call_id) > CALL_LENGTH:
        raise InvalidRequest(f"call_id must be at most {CALL_LENGTH} characters", field="/call_id")


def check_same_cluster(expected: str, actual: str, milvus_name: str) -> None:
    """Refuse what was meant for an earlier cluster of that name.

    Raises:
        Conflict: somebody deleted and created it meanwhile.
    """
    if expected and expected != actual:
        raise Conflict(f"{milvus_name} is another cluster by now; read it again")


def check_origin(origin: str) -> None:
    """Refuse a story that names somebody else as its author.

    Raises:
        InvalidRequest: INVALID_ORIGIN.
    """
    if origin not in ORIGINS:
        raise InvalidRequest(
            f"a whitelist is wished by {', '.join(filter(None, ORIGINS))}; empty means user",
            reason="INVALID_ORIGIN",
            field="/origin",
        )


def _rule_fault(rule: RuleWish, seen: set[tuple[str, PortType | None]]) -> str:
    if rule.port_type is None:
        return "the rule names no port type"
    if (rule.source_ip, rule.port_type) in seen:
        return f"{rule.source_ip} with {rule.port_type} comes twice"
    if not 0 <= rule.expires_at_ms <= LAST_MS:
        return f"{rule.source_ip} expires at a moment that no date can name"
    try:
        canonical = str(ipaddress.ip_network(rule.source_ip))
    except ValueError:
        return f"{rule.source_ip!r} is not a network address in CIDR form"
    if canonical != rule.source_ip:
        return f"{rule.source_ip!r} is not canonical; write {canonical}"
    return ""


def same_again(wish: Wish, present: Present) -> None:
    """Accept a create for a name that is taken only when it asks for the very same.

    Raises:
        Conflict: CLUSTER_DELETING.
        AlreadyExists: NAME_TAKEN.
    """
    if not present.wanted:
        raise Conflict(
            f"{wish.milvus_name} is being deleted; its name is free when that is complete",
            reason="CLUSTER_DELETING",
            field="/milvus-name",
            retry_after=10,
        )
    if present.body_hash != wish.body_hash:
        raise AlreadyExists(
            f"{wish.milvus_name} exists with another type, disk-size or whitelist; "
            "choose another name or send the same body",
            field="/milvus-name",
        )


def check_key(wish: Wish, *, first_body_hash: str) -> None:
    """Raises InvalidRequest IDEMPOTENCY_KEY_REUSED when the key stood for another body."""
    if first_body_hash != wish.body_hash:
        raise InvalidRequest(
            "this Idempotency-Key was sent with another body within 24 hours; use a new key",
            reason="IDEMPOTENCY_KEY_REUSED",
        )


def free_number(taken: Iterable[int], *, quota: int, user: str) -> int:
    """The lowest free one of the user's places, 1 to `quota`.

    Raises:
        OverLimit: QUOTA_EXCEEDED.
    """
    used = set(taken)
    if len(used) < quota:
        return next(n for n in range(1, quota + 1) if n not in used)
    raise OverLimit(
        f"{user} has {len(used)} clusters and may have {quota}; delete one first",
        context={"quota": str(quota), "used": str(len(used))},
    )


def check_expected(*, expected: int, actual: int, what: str) -> None:
    """Raises Conflict when the caller decided on an older state; 0 = any state will do."""
    if expected not in {0, actual}:
        raise Conflict(
            f"the {what} changed meanwhile (expected {expected}, is {actual}); read it again",
            context={"expected": str(expected), "actual": str(actual)},
        )


def check_changeable(*, wanted: bool, milvus_name: str) -> None:
    """Raises WrongState CLUSTER_DELETING."""
    if not wanted:
        raise WrongState(
            f"{milvus_name} is being deleted and cannot be changed", reason="CLUSTER_DELETING"
        )


def check_gone(*, wanted: bool, cluster_id: str) -> None:
    """Raises WrongState CLUSTER_WANTED: only an unwanted cluster may become a tombstone."""
    if wanted:
        raise WrongState(
            f"{cluster_id} is still wanted; only a deleted cluster may be gone",
            reason="CLUSTER_WANTED",
        )
