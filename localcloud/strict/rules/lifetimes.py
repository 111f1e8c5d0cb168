"""Instances take time: pending, stopping, shutting down, and a while of being seen dead."""

from __future__ import annotations

import copy
from typing import Any, ClassVar

from localcloud.strict.cloud import Cloud
from localcloud.strict.life import State
from localcloud.strict.patches import Patches
from localcloud.strict.rule import Rule

ENDED = frozenset({State.SHUTTING_DOWN, State.TERMINATED})


class InstanceLifetimes(Rule):
    """States pass in their order and take their time; terminating twice changes nothing.

    A started instance is `pending` before it is `running`; a terminated one stays visible for
    about an hour, then is gone with its tags.
    """

    name = "instance-lifetimes"
    document: ClassVar[str] = (
        "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-lifecycle.html"
    )

    def __init__(self) -> None:
        self._patches = Patches()

    def install(self, cloud: Cloud) -> None:
        from moto.ec2.models.instances import Instance, InstanceBackend

        run, start = InstanceBackend.run_instances, Instance.start
        stop, terminate = Instance.stop, Instance.terminate

        def run_slowly(backend: Any, *args: Any, **kwargs: Any) -> Any:
            reservation = run(backend, *args, **kwargs)
            for instance in reservation.instances:
                cloud.begin(instance, State.PENDING)
            return reservation

        def start_slowly(instance: Any) -> Any:
            if instance.state in {State.PENDING, State.RUNNING}:
                return copy.copy(instance._state)  # noqa: SLF001 - moto has no reader for both
            before = start(instance)
            cloud.begin(instance, State.PENDING)
            return before

        def stop_slowly(instance: Any) -> Any:
            if instance.state in {State.STOPPING, State.STOPPED}:
                return copy.copy(instance._state)  # noqa: SLF001
            before = stop(instance)
            cloud.begin(instance, State.STOPPING)
            return before

        def terminate_slowly(instance: Any) -> Any:
            if instance.state in ENDED:
                return copy.copy(instance._state)  # noqa: SLF001
            before = terminate(instance)
            cloud.begin_ending(instance)
            return before

        self._patches.set(InstanceBackend, "run_instances", run_slowly)
        self._patches.set(Instance, "start", start_slowly)
        self._patches.set(Instance, "stop", stop_slowly)
        self._patches.set(Instance, "terminate", terminate_slowly)

    def remove(self, cloud: Cloud) -> None:  # noqa: ARG002
        self._patches.undo()
