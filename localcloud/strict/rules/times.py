"""EC2 has one clock: what it writes on things is of the same time as the Date of its answers."""

from __future__ import annotations

from datetime import UTC, datetime

from localcloud.strict.cloud import Cloud
from localcloud.strict.patches import Patches
from localcloud.strict.rule import Rule


class OneClock(Rule):
    """Launch, creation and attachment are dated by the clock of the answers; moto has its own.

    Whoever judges an age takes both times from EC2, so that its own clock is of no consequence.
    """

    name = "one-clock"
    document = "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Instance.html"

    def __init__(self) -> None:
        self._patches = Patches()

    def install(self, cloud: Cloud) -> None:
        from moto.ec2.models import elastic_block_store, instances

        def now() -> datetime:
            return datetime.fromtimestamp(cloud.clock(), UTC).replace(tzinfo=None)

        for module in (elastic_block_store, instances):
            self._patches.set(module, "utcnow", now)

    def remove(self, cloud: Cloud) -> None:  # noqa: ARG002
        self._patches.undo()
