"""How long each wait may take, and how often things may be tried. Pure data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS


class Wait(StrEnum):
    """What a node may be waiting for; each has a deadline."""

    CAPACITY = "capacity"
    SETTING = "setting"
    UNSEEN = "unseen"
    PENDING = "pending"
    SSH = "ssh"
    INSTALL = "install"
    MILVUS = "milvus"
    ENDING = "ending"


DEFAULT_WAITS_MS: Mapping[Wait, int] = {
    Wait.CAPACITY: 10 * MINUTE_MS,
    Wait.SETTING: 10 * MINUTE_MS,
    Wait.UNSEEN: 5 * MINUTE_MS,
    Wait.PENDING: 10 * MINUTE_MS,
    Wait.SSH: 5 * MINUTE_MS,
    Wait.INSTALL: 10 * MINUTE_MS,
    Wait.MILVUS: 10 * MINUTE_MS,
    Wait.ENDING: 10 * MINUTE_MS,
}


@dataclass(frozen=True)
class Limits:
    """Times are milliseconds.

    `launches_per_hour` counts per slot; `install_tries` per machine. `missing_ms` is how long a
    group that EC2 does not see yet may hold up a launch. `lost_address_ms` is how long
    the answer to AllocateAddress may be looked for before it is asked again. Whoever looks again
    after `blind_ms` leaves every wait at least `second_look_ms` more.
    """

    waits_ms: Mapping[Wait, int] = field(default_factory=lambda: DEFAULT_WAITS_MS)
    launches_per_hour: int = 3
    install_tries: int = 3
    missing_ms: int = MINUTE_MS
    capacity_pause_ms: int = 10_000
    lost_address_ms: int = 5_000
    permission_pause_ms: int = MINUTE_MS
    blind_ms: int = 90_000
    second_look_ms: int = 3 * MINUTE_MS
    poll_ms: int = 300
    settled_ms: int = 30_000
