"""Describing: by ids, by filters, page by page, at the cost of what is found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from localcloud.fake import shown
from localcloud.fake.cloud import FakeCloud, Handler
from localcloud.fake.estate import Estate
from localcloud.fake.filters import Filter, filters_of, matching
from localcloud.fake.looking import there
from localcloud.fake.things import Instance
from localcloud.fake.xml import items, reply
from localcloud.strict.call import Call, Refusal, Reply
from localcloud.strict.rules.ids import not_found
from localcloud.strict.rules.lists import place_of, token_after
from localcloud.strict.rules.tags import NOT_FOUND

Readers = Mapping[str, Callable[[Any], Iterable[str]]]
PAGE = 1000


@dataclass(frozen=True, slots=True)
class Listing:
    """One kind of thing: where it is kept, how it is asked for, what it looks like.

    `narrow` finds the few candidates of a filter by an index; the kind's own id filter and
    tags are always indexed.
    """

    things: Callable[[Estate], Mapping[str, Any]]
    ids: str
    kind: str
    element: str
    show: Callable[[Estate, Any], str]
    readers: Readers
    narrow: Mapping[str, Callable[[Estate, str], Iterable[str]]]


def wanted(call: Call, estate: Estate, listing: Listing) -> list[Any]:
    """Everything a call asks for, oldest first. Raises Refusal for an id that is not there."""
    things = listing.things(estate)
    filters = filters_of(call)
    passes = matching(filters, listing.readers, lambda one: estate.tags.of(one.id))
    ids = call.params.texts(listing.ids)
    missing = [one for one in ids if one not in things]
    if missing:
        raise _not_found(listing.kind, missing)
    candidates = ids or _candidates(estate, listing, filters)
    found = things.values() if candidates is None else _present(things, candidates)
    return sorted((one for one in found if passes(one)), key=lambda one: one.number)


def _present(things: Mapping[str, Any], ids: Iterable[str]) -> list[Any]:
    return [things[one] for one in dict.fromkeys(ids) if one in things]


def _candidates(
    estate: Estate, listing: Listing, filters: Sequence[Filter]
) -> Iterable[str] | None:
    """The shortest list of ids that an index gives; None when no filter has one."""
    lists: list[list[str]] = []
    for one in filters:
        if not one.exact:
            continue
        if one.name.startswith("tag:"):
            key = one.name.removeprefix("tag:")
            lists.append([i for v in one.values for i in estate.tags.with_pair(key, v)])
        elif one.name in listing.narrow:
            lists.append([i for v in one.values for i in listing.narrow[one.name](estate, v)])
    return min(lists, key=len) if lists else None


def _not_found(kind: str, missing: Sequence[str]) -> Refusal:
    if kind == "i":
        return not_found(missing)
    what = "ID" if len(missing) == 1 else "IDs"
    verb = "does" if len(missing) == 1 else "do"
    text = f"The {what} '{', '.join(missing)}' {verb} not exist"
    return Refusal(NOT_FOUND[kind], text)


def page_of(call: Call, numbers: Sequence[int], *, whole: bool) -> tuple[int, int]:
    """The part [from, to) of things with these numbers that a call shall get.

    A token names the last number that was given, so things may come and go between pages.
    """
    after = place_of(call.action, call.params.text("NextToken"))
    size = call.params.number("MaxResults") or (len(numbers) if whole else PAGE)
    low = next((at for at, number in enumerate(numbers) if number > after), len(numbers))
    return low, min(len(numbers), low + size)


def describe(listing: Listing) -> Handler:
    """The handler of a describe; without MaxResults it gives the whole list."""

    def handler(_: FakeCloud, estate: Estate, call: Call) -> Reply:
        found = wanted(call, estate, listing)
        low, high = page_of(call, [one.number for one in found], whole=True)
        token = token_after(call.action, found[high - 1].number) if high < len(found) else None
        parts = [listing.show(estate, one) for one in found[low:high]]
        return reply(call.action, {listing.element: items(parts), "nextToken": token})

    return handler


def _state_code(one: Instance) -> tuple[str, ...]:
    return (str(shown.state(one.state)["code"]),)


def _held(name: str) -> Callable[[Instance], tuple[str, ...]]:
    """A reader of what an instance has through its interface."""

    def read(one: Instance) -> tuple[str, ...]:
        if one.interface is None:
            return ()
        value = getattr(one.interface, name)
        return value if isinstance(value, tuple) else (value,)

    return read


def _of_group(estate: Estate, group_id: str) -> list[str]:
    holding = estate.interfaces_of.get(group_id, ())
    return [estate.interfaces[i].instance_id for i in holding if i in estate.interfaces]


INSTANCES = Listing(
    things=lambda estate: estate.instances,
    ids="InstanceIds",
    kind="i",
    element="reservationSet",
    show=shown.instance,
    readers={
        "instance-id": lambda one: (one.id,),
        "instance-state-name": lambda one: (str(one.state),),
        "instance-state-code": _state_code,
        "instance-type": lambda one: (one.instance_type,),
        "image-id": lambda one: (one.image_id,),
        "client-token": lambda one: (one.client_token,),
        "reservation-id": lambda one: (one.reservation,),
        "availability-zone": lambda one: (one.availability_zone,),
        "vpc-id": _held("vpc_id"),
        "subnet-id": _held("subnet_id"),
        "private-ip-address": _held("private_ip"),
        "ip-address": _held("public_ip"),
        "instance.group-id": _held("group_ids"),
        "network-interface.group-id": _held("group_ids"),
        "network-interface.network-interface-id": _held("id"),
        "block-device-mapping.volume-id": lambda one: one.volumes.values(),
    },
    narrow={
        "instance-id": lambda _, value: (value,),
        "client-token": lambda estate, value: estate.by_token.get(value, ()),
        "instance.group-id": _of_group,
        "network-interface.group-id": _of_group,
    },
)


def describe_instances(_: FakeCloud, estate: Estate, call: Call) -> Reply:
    """Instances by reservation; a page is of reservations, 1000 at most, ids are never cut."""
    held: dict[str, list[Instance]] = {}
    for one in wanted(call, estate, INSTANCES):
        held.setdefault(one.reservation, []).append(one)
    numbers = [instances[0].number for instances in held.values()]
    low, high = page_of(call, numbers, whole="InstanceIds" in call.params)
    token = token_after(call.action, numbers[high - 1]) if high < len(numbers) else None
    parts = [shown.reservation(estate, *one) for one in list(held.items())[low:high]]
    return reply(call.action, {"reservationSet": items(parts), "nextToken": token})


def describe_tags(_: FakeCloud, estate: Estate, call: Call) -> Reply:
    """Tags of everything that exists, page by page."""
    readers: Readers = {
        "resource-id": lambda one: (one[0],),
        "resource-type": lambda one: (_KINDS[one[0].partition("-")[0]],),
        "key": lambda one: (one[1],),
        "value": lambda one: (one[2],),
    }
    passes = matching(filters_of(call), readers, lambda _one: {})
    found = [one for one in estate.tags.all() if there(estate, one[0]) and passes(one)]
    numbers = range(1, len(found) + 1)
    low, high = page_of(call, numbers, whole=True)
    token = token_after(call.action, numbers[high - 1]) if high < len(found) else None
    shown_tags = [
        {"resourceId": r, "resourceType": _KINDS[r.partition("-")[0]], "key": k, "value": v}
        for r, k, v in found[low:high]
    ]
    return reply(call.action, {"tagSet": shown_tags, "nextToken": token})


_KINDS = {
    "i": "instance",
    "sg": "security-group",
    "vol": "volume",
    "eni": "network-interface",
    "eipalloc": "elastic-ip",
    "vpc": "vpc",
    "subnet": "subnet",
    "igw": "internet-gateway",
}
