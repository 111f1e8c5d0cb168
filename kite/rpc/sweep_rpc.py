"""SweepService on the wire: a sweep that a person asked for."""

from dataclasses import replace
from typing import Any

from kite.sweep import Finding, Memory, Policy
from kite.sweeping import Sweeper
from kite.v1 import sweep_pb2, sweep_pb2_grpc

SERVICE = "kite.v1.SweepService"


class SweepRpc(sweep_pb2_grpc.SweepServiceServicer):
    """The same decision as the loop's, under a person's bounds."""

    def __init__(self, sweeper: Sweeper, policy: Policy) -> None:
        self._sweeper = sweeper
        self._policy = policy

    async def Sweep(self, request: sweep_pb2.SweepRequest, context: Any) -> sweep_pb2.SweepResponse:
        memory = Memory({one.mark: one.seen_at_ms for one in request.seen})
        plan, done = await self._sweeper.once(memory, asked(self._policy, request))
        return sweep_pb2.SweepResponse(
            leftovers=[_leftover(one, done.get(one.thing)) for one in plan.findings],
            alarms=plan.alarms,
            skipped=plan.skipped,
            gap_ms=self._policy.gap_ms,
        )


def asked(usual: Policy, request: sweep_pb2.SweepRequest) -> Policy:
    """The policy of one request."""
    return replace(
        usual,
        report=not request.act,
        gap_ms=0 if request.now else usual.gap_ms,
        unproven=request.unproven,
        bulk=request.bound or usual.bulk,
    )


def _leftover(found: Finding, trouble: str | None) -> sweep_pb2.Leftover:
    """`trouble` is None when it was not to go now, empty when its end was asked for."""
    thing = found.thing
    sighting = sweep_pb2.Sighting(mark=thing.mark, seen_at_ms=found.first_ms)
    return sweep_pb2.Leftover(
        kind=thing.kind,
        id=thing.id,
        cluster_id=thing.cluster_id,
        name=thing.name,
        verdict=found.verdict,
        why=found.why,
        age_ms=found.age_ms,
        sighting=sighting if found.first_ms else None,
        removed=trouble == "",
        trouble=trouble or "",
    )
