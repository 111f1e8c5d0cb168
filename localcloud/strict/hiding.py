"""Eventual consistency: fresh ids that looks do not see yet, and tags that lookups do not."""

from __future__ import annotations

import math
import re
import threading
from dataclasses import dataclass

from localcloud.strict.call import Call, Reply, walk

_MADE = {
    "RunInstances": "instanceId",
    "CreateSecurityGroup": "groupId",
    "CreateVolume": "volumeId",
    "CreateNetworkInterface": "networkInterfaceId",
    "AllocateAddress": "allocationId",
}
MAKING = frozenset(_MADE)
_LISTED = {
    "i": ("InstanceIds", "instance-id"),
    "sg": ("GroupIds", "group-id"),
    "vol": ("VolumeIds", "volume-id"),
    "eni": ("NetworkInterfaceIds", "network-interface-id"),
    "eipalloc": ("AllocationIds", "allocation-id"),
}
_LISTING = {
    "i": {"DescribeInstances", "DescribeInstanceStatus"},
    "sg": {"DescribeSecurityGroups", "DescribeSecurityGroupRules"},
    "vol": {"DescribeVolumes", "DescribeVolumeStatus", "DescribeVolumesModifications"},
    "eni": {"DescribeNetworkInterfaces"},
    "eipalloc": {"DescribeAddresses"},
}


def fresh_ids(call: Call, reply: Reply) -> tuple[str, ...]:
    """The ids a creating call has just made."""
    element = _MADE.get(call.action, "")
    found = re.findall(f"<{element}>([a-z]+-[0-9a-f]+)</{element}>".encode(), reply.body)
    return tuple(dict.fromkeys(one.decode() for one in found)) if element else ()


def by_tag(call: Call) -> bool:
    """Whether a call looks things up by their tags."""
    names = [one.text("Name") for one in call.params.structs("Filters")]
    tagged = any(name.startswith("tag:") or name in {"tag-key", "tag-value"} for name in names)
    return call.action == "DescribeTags" or (call.describing and tagged)


@dataclass(slots=True)
class _Hidden:
    """Unseen for so many looks, or until a time, whichever is set."""

    empty: bool
    looks: int = 0
    until: float = -math.inf


class HiddenIds:
    """Ids that are not to be seen yet: by nobody, or by lookups of tags alone."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._hidden: dict[str, _Hidden] = {}
        self._untagged: dict[str, float] = {}

    def hide(self, ids: tuple[str, ...], looks: int, *, empty: bool) -> None:
        """Hide ids from the next looks."""
        with self._lock:
            self._hidden.update({one: _Hidden(empty, looks=looks) for one in ids})

    def hide_until(self, ids: tuple[str, ...], until: float, *, empty: bool) -> None:
        """Hide ids until a time, in seconds of the clock."""
        with self._lock:
            self._hidden.update({one: _Hidden(empty, until=until) for one in ids})

    def untag_until(self, ids: tuple[str, ...], until: float) -> None:
        """Let lookups by tag miss these ids until a time."""
        with self._lock:
            self._untagged.update(dict.fromkeys(ids, until))

    def clear(self) -> None:
        with self._lock:
            self._hidden.clear()
            self._untagged.clear()

    def unseen_by(self, call: Call, now: float) -> dict[str, bool]:
        """The ids this call must not see, and whether it shall get an empty list for them.

        A call looks at an id when it names it or lists its kind; each look is counted. A
        launch always sees instances: its token must find the one it made.
        """
        if not self._hidden and not self._untagged:
            return {}
        named = {str(value) for _, value in walk(call.params.values)}
        with self._lock:
            unseen = self._unlisted(call, now)
            for one, hidden in list(self._hidden.items()):
                if hidden.looks <= 0 and hidden.until <= now:
                    del self._hidden[one]
                elif _looks(call, one, named):
                    unseen[one] = hidden.empty
                    hidden.looks -= 1
        return unseen

    def _unlisted(self, call: Call, now: float) -> dict[str, bool]:
        self._untagged = {one: until for one, until in self._untagged.items() if until > now}
        return dict.fromkeys(self._untagged, True) if by_tag(call) else {}


def _looks(call: Call, one: str, named: set[str]) -> bool:
    kind = one.partition("-")[0]
    if call.action == "RunInstances" and kind == "i":
        return False
    return one in named or call.action in _LISTING[kind]


def asked_empty(call: Call, unseen: dict[str, bool]) -> Call:
    """The call with ids that shall yield an empty list moved from the id list to a filter."""
    for one, empty in unseen.items():
        parameter, name = _LISTED[one.partition("-")[0]]
        ids = list(call.params.texts(parameter))
        if not empty or one not in ids:
            continue
        ids.remove(one)
        if ids:
            call = call.altered(**{parameter: ids})
        else:
            filters = [dict(given.values) for given in call.params.structs("Filters")]
            filters.append({"Name": name, "Values": [one]})
            call = call.altered(**{parameter: None, "Filters": filters})
    return call
