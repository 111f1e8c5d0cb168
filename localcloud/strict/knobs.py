"""What a user of the strict cloud may set; every value has the local cloud's default."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Knobs:
    """Times are seconds of the injected clock; quotas are per account and region."""

    pending_seconds: float = 0.0
    stopping_seconds: float = 0.0
    shutting_down_seconds: float = 0.0
    terminated_visible_seconds: float = 3600.0
    address_quota: int = 64
    rules_per_group: int = 60
    groups_per_interface: int = 5
