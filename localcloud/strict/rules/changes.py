"""Changing a volume takes time, and may not be done again soon."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from localcloud.strict.call import Call, Refusal, Reply
from localcloud.strict.cloud import Cloud
from localcloud.strict.patches import Patches
from localcloud.strict.rule import Rule

_LIMITS = "https://docs.aws.amazon.com/ebs/latest/userguide/modify-volume-requirements.html"
_API = (
    "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVolumesModifications.html"
)
_WHOLE = 100


@dataclass(frozen=True, slots=True)
class Pace:
    """At most `most` changes of one volume within `seconds`."""

    most: int
    seconds: float


def change_verdict(changed: Sequence[float], now: float, pace: Pace, busy: str) -> Refusal | None:
    """May a volume be changed now? `changed`: when it was; `busy`: the state of the last change."""
    if busy:
        text = f"Cannot modify the volume while its modification is in state {busy.upper()}"
        return Refusal("IncorrectModificationState", text)
    recent = [at for at in changed if now - at < pace.seconds]
    if len(recent) < pace.most:
        return None
    text = (
        "You've reached the maximum modification rate per volume limit. Wait at least "
        f"{pace.seconds / 3600:g} hours between modifications per EBS volume."
    )
    return Refusal("VolumeModificationRateExceeded", text)


class ModifyCooldown(Rule):
    """A volume is changed `volume_changes` times (1) in `volume_changes_seconds` (6 hours).

    Since January 2026 AWS allows 4 in 24 hours where that has arrived; the default is the
    stricter of both, which holds everywhere. A change still under way refuses the next.
    """

    name = "modify-cooldown"
    document = _LIMITS
    actions = frozenset({"ModifyVolume"})

    def __init__(self) -> None:
        self._changed: dict[str, list[float]] = {}

    def reset(self) -> None:
        self._changed.clear()

    def before(self, call: Call, cloud: Cloud) -> Call | Reply:
        volume_id = call.params.text("VolumeId")
        if cloud.volume(call, volume_id) is None or call.dry:
            return call
        pace = Pace(cloud.knobs.volume_changes, cloud.knobs.volume_changes_seconds)
        changes = cloud.backend(call).volumes[volume_id].modifications
        state = str(changes[-1].modification_state) if changes else "completed"
        refusal = change_verdict(
            self._changed.get(volume_id, []),
            cloud.clock(),
            pace,
            "" if state == "completed" else state,
        )
        if refusal is not None:
            raise refusal
        return call

    def after(self, call: Call, reply: Reply, cloud: Cloud) -> Reply:
        self._changed.setdefault(call.params.text("VolumeId"), []).append(cloud.clock())
        return reply


class Optimizing(Rule):
    """A change is `optimizing` for the knob `optimizing_seconds`, then `completed`."""

    name = "optimizing"
    document = _API

    def __init__(self) -> None:
        self._patches = Patches()

    def install(self, cloud: Cloud) -> None:
        from moto.ec2.models.elastic_block_store import VolumeModification

        begin = VolumeModification.__init__

        def begin_slowly(change: Any, *args: Any, **kwargs: Any) -> None:
            begin(change, *args, **kwargs)
            change.began_at = cloud.clock()

        def share(change: Any) -> float:
            """How much of a change is done, 0 to 1."""
            spent = cloud.clock() - vars(change).get("began_at", 0.0)
            whole = cloud.knobs.optimizing_seconds
            return 1.0 if spent >= whole else max(0.0, spent / whole)

        def state(change: Any) -> str:
            return "completed" if share(change) >= 1 else "optimizing"

        self._patches.set(VolumeModification, "__init__", begin_slowly)
        self._patches.set(VolumeModification, "modification_state", property(state))
        progress = property(lambda change: int(share(change) * _WHOLE))
        self._patches.set(VolumeModification, "progress", progress)

    def remove(self, cloud: Cloud) -> None:  # noqa: ARG002
        self._patches.undo()
