"""ProvisionerService on the wire: live install stories, a nudge, and what EC2 offers."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any

from kite.v1 import provisioner_pb2, provisioner_pb2_grpc
from provisioner.facts import InstallFact
from provisioner.installs import Installs

PAUSE_SECONDS = 0.3
NONE_YET_SECONDS = 30.0
Zones = Callable[[Sequence[str]], Awaitable[Mapping[str, tuple[str, ...]]]]


class ProvisionerRpc(provisioner_pb2_grpc.ProvisionerServiceServicer):
    """Reads what this process knows; decides nothing. `zones` are those that offer a type."""

    def __init__(self, installs: Installs, nudge: Callable[[str], None], zones: Zones) -> None:
        self._installs = installs
        self._nudge = nudge
        self._zones = zones

    async def WatchInstall(
        self,
        request: provisioner_pb2.WatchInstallRequest,
        context: Any,
    ) -> AsyncIterator[provisioner_pb2.WatchInstallResponse]:
        """Every change of every install of the cluster; ends when all have ended.

        Ends as well when none begins within 30 seconds, so that watchers ask again.
        """
        told: dict[str, InstallFact] = {}
        waited = 0.0
        while True:
            now = self._installs.of_cluster(request.cluster_id)
            for token, fact in now.items():
                if told.get(token) != fact:
                    yield _line(token, fact)
            told = dict(now)
            over = told and not any(fact.running for fact in told.values())
            waited += PAUSE_SECONDS
            if over or (not told and waited > NONE_YET_SECONDS):
                return
            await asyncio.sleep(PAUSE_SECONDS)

    async def Nudge(
        self,
        request: provisioner_pb2.NudgeRequest,
        context: Any,
    ) -> provisioner_pb2.NudgeResponse:
        self._nudge(request.cluster_id)
        return provisioner_pb2.NudgeResponse()

    async def CheckOffers(
        self,
        request: provisioner_pb2.CheckOffersRequest,
        context: Any,
    ) -> provisioner_pb2.CheckOffersResponse:
        zones = await self._zones(tuple(request.instance_types))
        return provisioner_pb2.CheckOffersResponse(
            offers=[
                provisioner_pb2.TypeOffer(instance_type=one, zones=zones[one])
                for one in request.instance_types
            ]
        )


def _line(token: str, fact: InstallFact) -> provisioner_pb2.WatchInstallResponse:
    ended = "installed" if fact.ok else f"{fact.reason}: {fact.description}"
    return provisioner_pb2.WatchInstallResponse(
        token=token,
        step=fact.step,
        done=fact.done,
        total=fact.total,
        line=fact.step if fact.running else ended,
    )
