"""The catalogue of plans: what `milvus-type` may name, and what it means."""

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from kite.errors import Forbidden, InvalidRequest


@dataclass(frozen=True, slots=True)
class Plan:
    """Machines and disk limits (GiB) behind a type; `worker` is empty without workers."""

    name: str
    master: str
    worker: str
    workers: int
    min_disk_gib: int
    max_disk_gib: int
    description: str = ""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Plans by lower-case name, and the EC2 types accepted as they are.

    Attributes:
        barred: shell patterns of EC2 types that only a plan may name.
    """

    plans: Mapping[str, Plan]
    instance_types: frozenset[str]
    any_type: Plan
    barred: tuple[str, ...] = ()


class CatalogueRefused(Exception):
    """The catalogue cannot be used; the text names plan and field."""


def find(catalogue: Catalogue, milvus_type: str) -> Plan:
    """The plan of that name, or one made for a full EC2 instance type; letter case does not count.

    Raises:
        InvalidRequest: UNKNOWN_TYPE, with the names there are.
        Forbidden: TYPE_NOT_ALLOWED, for a type that the operators keep for plans.
    """
    word = milvus_type.lower()
    if word in catalogue.plans:
        return catalogue.plans[word]
    if word in catalogue.instance_types:
        _check_allowed(catalogue, word)
        like = catalogue.any_type
        worker = word if like.workers else ""
        return Plan(word, word, worker, like.workers, like.min_disk_gib, like.max_disk_gib)
    names = ", ".join(plan.name for plan in catalogue.plans.values())
    raise InvalidRequest(
        f"unknown milvus-type {milvus_type[:64]!r}; use one of {names}, or an EC2 instance type "
        "such as m5.large",
        reason="UNKNOWN_TYPE",
        field="/milvus-type",
        context={"plans": names},
    )


def _check_allowed(catalogue: Catalogue, word: str) -> None:
    if any(fnmatchcase(word, pattern) for pattern in catalogue.barred):
        names = ", ".join(plan.name for plan in catalogue.plans.values())
        raise Forbidden(
            f"milvus-type {word} is not for free choice (bare metal, accelerators, another "
            f"processor or too small for Milvus); use one of {names}, or a type such as m5.large",
            reason="TYPE_NOT_ALLOWED",
            field="/milvus-type",
        )


def parse(document: object, instance_types: frozenset[str]) -> Catalogue:
    """Read a catalogue as YAML gave it.

    Raises:
        CatalogueRefused: something is missing, unknown or out of range.
    """
    top = _mapping(document, "the catalogue")
    _only(top, {"any-instance-type", "plans"}, "the catalogue")
    listed = _mapping(top.get("plans"), "plans")
    found: dict[str, Plan] = {}
    for name, body in listed.items():
        if name.lower() in found:
            raise CatalogueRefused(
                f"plan {name}: the name comes twice (letter case does not count)"
            )
        found[name.lower()] = _plan(name, _mapping(body, f"plan {name}"), instance_types)
    if not found:
        raise CatalogueRefused("plans: at least one plan is needed")
    loose = _mapping(top.get("any-instance-type"), "any-instance-type")
    _only(loose, {"workers", "disk", "except"}, "any-instance-type")
    smallest, largest = _disk(loose, "any-instance-type")
    any_type = Plan("", "", "", _workers(loose, "any-instance-type"), smallest, largest)
    return Catalogue(found, instance_types, any_type, _patterns(loose))


def refuse_workers(catalogue: Catalogue) -> None:
    """Clusters of several machines are not built yet: the roles would refuse bought machines.

    Raises:
        CatalogueRefused: a plan has workers.
    """
    for plan in (*catalogue.plans.values(), catalogue.any_type):
        if plan.workers:
            where = f"plan {plan.name}" if plan.name else "any-instance-type"
            raise CatalogueRefused(f"{where}: clusters have one machine so far; set workers: 0")


def _patterns(body: Mapping[str, object]) -> tuple[str, ...]:
    match body.get("except", []):
        case [*patterns] if all(isinstance(one, str) and one for one in patterns):
            return tuple(str(one).lower() for one in patterns)
        case _:
            raise CatalogueRefused("any-instance-type: except must be a list of patterns")


def _plan(name: str, body: Mapping[str, object], types: frozenset[str]) -> Plan:
    where = f"plan {name}"
    _only(body, {"description", "master", "worker", "workers", "disk"}, where)
    workers = _workers(body, where)
    master, worker = str(body.get("master", "")), str(body.get("worker", ""))
    needed = {"master": master} | ({"worker": worker} if workers or worker else {})
    for field, instance_type in needed.items():
        if instance_type not in types:
            raise CatalogueRefused(f"{where}: {field} {instance_type!r} is not an EC2 type")
    smallest, largest = _disk(body, where)
    description = str(body.get("description", ""))
    return Plan(name, master, worker, workers, smallest, largest, description)


def _mapping(value: object, where: str) -> Mapping[str, object]:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise CatalogueRefused(f"{where}: expected names with values")
    return value


def _only(body: Mapping[str, object], known: set[str], where: str) -> None:
    unknown = sorted(set(body) - known)
    if unknown:
        raise CatalogueRefused(f"{where}: unknown {', '.join(unknown)}")


def _workers(body: Mapping[str, object], where: str) -> int:
    match body.get("workers", 0):
        case bool():
            pass
        case int(count) if count >= 0:
            return count
        case _:
            pass
    raise CatalogueRefused(f"{where}: workers must be a whole number, 0 or more")


def _disk(body: Mapping[str, object], where: str) -> tuple[int, int]:
    match body.get("disk"):
        case [bool(), _] | [_, bool()]:
            pass
        case [int(smallest), int(largest)] if 1 <= smallest <= largest:
            return smallest, largest
        case _:
            pass
    raise CatalogueRefused(f"{where}: disk must be [smallest, largest] in GiB")
