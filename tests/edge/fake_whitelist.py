"""The whitelist service behind the edge, in memory, over real gRPC on loopback."""

from __future__ import annotations

from kite.errors import Conflict, NotFound, WrongState
from kite.ports import PortType
from kite.v1 import cluster_pb2, operation_pb2, whitelist_pb2, whitelist_pb2_grpc
from tests.edge.fakes import NOW_MS, World
from whitelist_svc import rules
from whitelist_svc.rules import Policy, Wished

NUMBER = {
    PortType.MILVUS: cluster_pb2.PORT_TYPE_MILVUS,
    PortType.MILVUS_EM: cluster_pb2.PORT_TYPE_MILVUS_EM,
}


class FakeWhitelist(whitelist_pb2_grpc.WhitelistServiceServicer):
    """Judges with the real rules; keeps what was asked for and says it is in force."""

    def __init__(self, world: World) -> None:
        self.world = world

    def _judged(self, request) -> list[cluster_pb2.Rule]:
        wished = [Wished(r.source_ip, r.port_type, r.note, r.expires_at_ms) for r in request.ranges]
        accepted = rules.accept(wished, Policy(), now_ms=NOW_MS, allow_public=request.allow_public)
        return [
            cluster_pb2.Rule(
                source_ip=entry.cidr,
                port_type=NUMBER[entry.port_type],
                note=entry.note,
                expires_at_ms=entry.expires_at_ms,
            )
            for entry in accepted.entries
        ]

    def _of(self, request) -> cluster_pb2.Cluster:
        cluster = self.world.clusters.get((request.user, request.milvus_name))
        if cluster is None:
            raise NotFound("no such cluster", reason="NO_CLUSTER")
        return cluster

    async def CheckRules(self, request, context):
        await self.world.trip(request)
        return whitelist_pb2.CheckRulesResponse(rules=self._judged(request))

    async def SetRules(self, request, context):
        await self.world.trip(request)
        judged = self._judged(request)
        cluster = self._of(request)
        if not cluster.spec.wanted:
            raise WrongState("being deleted", reason="CLUSTER_DELETING")
        if request.expected_revision not in (0, cluster.whitelist.revision):
            raise Conflict("changed meanwhile", reason="REVISION_MISMATCH")
        if list(cluster.whitelist.rules) != judged:
            del cluster.whitelist.rules[:]
            cluster.whitelist.rules.extend(judged)
            cluster.whitelist.revision += 1
        operation = operation_pb2.Operation(operation_id=f"op-{self.world.number():020x}")
        return whitelist_pb2.SetRulesResponse(
            rules=_in_force(cluster),
            revision=cluster.whitelist.revision,
            operation=operation,
            notices=["open connections are not cut"],
        )

    async def GetRules(self, request, context):
        await self.world.trip(request)
        cluster = self._of(request)
        return whitelist_pb2.GetRulesResponse(
            rules=_in_force(cluster), revision=cluster.whitelist.revision
        )

    async def EnsureGroups(self, request, context):
        raise NotImplementedError

    async def CloseGroups(self, request, context):
        raise NotImplementedError

    async def DropGroups(self, request, context):
        raise NotImplementedError


def _in_force(cluster: cluster_pb2.Cluster) -> list[whitelist_pb2.RuleInForce]:
    return [
        whitelist_pb2.RuleInForce(
            rule=rule, rule_id=f"sgr-{at:017x}", state=whitelist_pb2.RULE_STATE_AUTHORIZED
        )
        for at, rule in enumerate(cluster.whitelist.rules)
    ]
