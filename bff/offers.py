"""Whether this install's zones offer the machines of a cluster that is asked for.

Asked before a wish is stored, so that a type nobody can launch here is refused at once and not ten
minutes later. It is a courtesy: who cannot be asked now is taken to say yes.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from kite.clock import Clock
from kite.errors import InvalidRequest, KiteError
from kite.telemetry import logs
from kite.v1 import provisioner_pb2, provisioner_pb2_grpc, registry_pb2, registry_pb2_grpc

_log = logs.get(__name__)
_ASK_SECONDS = 20.0  # nobody waits so long for it
_PATIENCE_SECONDS = 2.0  # of who creates
_KEPT_SECONDS, _AWAY_SECONDS, _MOST = 300.0, 10.0, 1_000
T = TypeVar("T")


class Kept(Generic[T]):
    """Answers by question, asked for in the background and kept for a while.

    An answer that has become old is still given while a new one is being asked for; a question
    nobody answered is not asked again at once. Who asks at the same time asks together.
    """

    def __init__(self, ask: Callable[[str], Awaitable[T]], clock: Clock) -> None:
        self._ask, self._clock = ask, clock
        self._answers: OrderedDict[str, tuple[float, T | None]] = OrderedDict()
        self._asking: dict[str, asyncio.Task[T | None]] = {}

    async def of(self, question: str) -> T | None:
        """The answer; None when nobody gave one in time."""
        until, answer = self._answers.get(question, (0.0, None))
        if self._clock.monotonic() < until:
            return answer
        if question not in self._asking:
            self._asking[question] = asyncio.create_task(self._asked(question))
            self._asking[question].add_done_callback(lambda _: self._asking.pop(question))
        asking = self._asking[question]
        if answer is None:
            await asyncio.wait({asking}, timeout=_PATIENCE_SECONDS)
        return asking.result() if asking.done() else answer

    async def _asked(self, question: str) -> T | None:
        answer: T | None = None
        try:
            answer = await self._ask(question)
            seconds = _KEPT_SECONDS
        except KiteError as failed:
            _log.info("what is offered is not known now", about=question, why=str(failed))
            seconds = _AWAY_SECONDS
        except Exception:  # noqa: BLE001 - no create fails for a courtesy
            _log.exception("asking what is offered hit a defect")
            seconds = _AWAY_SECONDS
        self._answers[question] = (self._clock.monotonic() + seconds, answer)
        self._answers.move_to_end(question)
        while len(self._answers) > _MOST:
            self._answers.popitem(last=False)
        return answer


class Offers:
    """What the registry's catalogue and the provisioner say together."""

    def __init__(
        self,
        registry: registry_pb2_grpc.RegistryServiceAsyncStub,
        provisioner: provisioner_pb2_grpc.ProvisionerServiceAsyncStub,
        clock: Clock,
    ) -> None:
        self._registry, self._provisioner = registry, provisioner
        self._machines = Kept(self._ask_machines, clock)
        self._zones = Kept(self._ask_zones, clock)

    async def refusal(self, milvus_type: str) -> InvalidRequest | None:
        """Why this type cannot be had here; None when it can, or when nobody knows."""
        machines = await self._machines.of(milvus_type.lower())
        if not machines:  # the registry says at the create what is wrong with the type
            return None
        zones = await self._zones.of(machines)
        if zones is None or zones:
            return None
        return InvalidRequest(
            f"milvus-type {milvus_type} needs {machines.replace(',', ' and ')}, which no zone of "
            "this install offers; choose another of GET /v1/plans",
            reason="TYPE_NOT_OFFERED",
            field="/milvus-type",
        )

    async def warm(self) -> None:
        """Ask about every plan until all is known, so that the first creates need not wait."""
        while True:
            if await self._all_known():
                return
            await asyncio.sleep(_AWAY_SECONDS)

    async def _all_known(self) -> bool:
        try:
            plans = (await self._registry.ListPlans(registry_pb2.ListPlansRequest())).plans
        except KiteError:
            return False
        machines = [await self._machines.of(plan.name.lower()) for plan in plans]
        return all([one and await self._zones.of(one) is not None for one in machines])

    async def _ask_machines(self, milvus_type: str) -> str:
        """EC2 types of the plan, joined by commas."""
        message = registry_pb2.ListPlansRequest(milvus_type=milvus_type)
        plan = (await self._registry.ListPlans(message, timeout=_ASK_SECONDS)).plans[0]
        types = {plan.master_instance_type, plan.worker_instance_type}
        return ",".join(sorted(filter(None, types)))

    async def _ask_zones(self, machines: str) -> frozenset[str]:
        """Zones that offer all of them: a cluster lives in one zone."""
        message = provisioner_pb2.CheckOffersRequest(instance_types=machines.split(","))
        answer = await self._provisioner.CheckOffers(message, timeout=_ASK_SECONDS)
        return frozenset.intersection(*(frozenset(one.zones) for one in answer.offers))
