"""Eventual consistency, scripted: fresh ids that the next few looks do not see."""

from __future__ import annotations

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
_LISTED = {
    "i": ("Instance", "InstanceIds", "instance-id"),
    "sg": ("SecurityGroup", "GroupIds", "group-id"),
    "vol": ("Volume", "VolumeIds", "volume-id"),
    "eni": ("NetworkInterface", "NetworkInterfaceIds", "network-interface-id"),
    "eipalloc": ("Address", "AllocationIds", "allocation-id"),
}


def fresh_ids(call: Call, reply: Reply) -> tuple[str, ...]:
    """The ids a creating call has just made."""
    element = _MADE.get(call.action, "")
    found = re.findall(f"<{element}>([a-z]+-[0-9a-f]+)</{element}>".encode(), reply.body)
    return tuple(dict.fromkeys(one.decode() for one in found)) if element else ()


@dataclass(slots=True)
class _Hidden:
    looks: int
    empty: bool


class HiddenIds:
    """Ids that are not to be seen yet, each for so many looks."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._hidden: dict[str, _Hidden] = {}

    def hide(self, ids: tuple[str, ...], looks: int, *, empty: bool) -> None:
        with self._lock:
            self._hidden.update({one: _Hidden(looks, empty) for one in ids})

    def clear(self) -> None:
        with self._lock:
            self._hidden.clear()

    def unseen_by(self, call: Call) -> dict[str, bool]:
        """The ids this call must not see, and whether it shall get an empty list for them.

        A call looks at an id when it names it or lists its kind; each look is counted. A
        launch always sees instances: its token must find the one it made.
        """
        if not self._hidden:
            return {}
        named = {str(value) for _, value in walk(call.params.values)}
        unseen: dict[str, bool] = {}
        with self._lock:
            for one, hidden in list(self._hidden.items()):
                if not _looks(call, one, named):
                    continue
                unseen[one] = hidden.empty
                hidden.looks -= 1
                if hidden.looks <= 0:
                    del self._hidden[one]
        return unseen


def _looks(call: Call, one: str, named: set[str]) -> bool:
    kind = one.partition("-")[0]
    if call.action == "RunInstances" and kind == "i":
        return False
    return one in named or (call.describing and _LISTED[kind][0] in call.action)


def asked_empty(call: Call, unseen: dict[str, bool]) -> Call:
    """The call with ids that shall yield an empty list moved from the id list to a filter."""
    for one, empty in unseen.items():
        _, parameter, name = _LISTED[one.partition("-")[0]]
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
