"""The registry put together: store in, servicers out."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from kite.clock import Clock
from kite.v1 import adoption_pb2_grpc, controller_pb2_grpc, operation_pb2_grpc, registry_pb2_grpc
from registry_svc import plan_file
from registry_svc.adoption import Adoption
from registry_svc.adoption_rpc import AdoptionRpc
from registry_svc.broadcast import Broadcast
from registry_svc.claims import Claims
from registry_svc.clusters_rpc import ClustersRpc
from registry_svc.controller_rpc import ControllerRpc
from registry_svc.operations_rpc import OperationsRpc
from registry_svc.settings import Settings
from registry_svc.store import Store
from registry_svc.threads import Threads
from registry_svc.timekeeping import StoreTime
from registry_svc.wishes import Wishes

# What kite.rpc.server.RpcServer.add() takes.
Part: TypeAlias = tuple[Callable[[Any, Any], None], Any, str]


@dataclass(frozen=True, slots=True)
class App:
    """Servicers, and what runs beside them."""

    parts: list[Part]
    threads: Threads
    broadcast: Broadcast
    time: StoreTime


def assemble(store: Store, settings: Settings, own: Clock) -> App:
    """Everything of one registry process; `own` is this machine's clock.

    Raises:
        CatalogueRefused: the file of plans cannot be used.
    """
    catalogue = plan_file.load(settings.registry_plans_file)
    clock = StoreTime(store, own)
    threads = Threads(settings.registry_threads, waiting=settings.registry_waiting)
    broadcast = Broadcast(
        store,
        threads,
        clock,
        queue=settings.registry_subscriber_queue,
        rescan_ms=settings.registry_rescan_ms,
    )
    wishes = Wishes(store, catalogue, clock, quota=settings.registry_clusters_per_user)
    claims = Claims(store, clock)
    parts: list[Part] = [
        (
            registry_pb2_grpc.add_RegistryServiceServicer_to_server,
            ClustersRpc(store, wishes, catalogue, threads, broadcast),
            "kite.v1.RegistryService",
        ),
        (
            controller_pb2_grpc.add_ControllerServiceServicer_to_server,
            ControllerRpc(store, claims, threads, broadcast, clock),
            "kite.v1.ControllerService",
        ),
        (
            operation_pb2_grpc.add_OperationServiceServicer_to_server,
            OperationsRpc(store, wishes, threads, broadcast, clock),
            "kite.v1.OperationService",
        ),
        (
            adoption_pb2_grpc.add_AdoptionServiceServicer_to_server,
            AdoptionRpc(Adoption(store, clock), threads),
            "kite.v1.AdoptionService",
        ),
    ]
    return App(parts, threads, broadcast, clock)


def build(store: Store, settings: Settings, clock: Clock) -> list[Part]:
    """(register, servicer, name) for RpcServer.add(), for whoever hosts a registry in process."""
    return assemble(store, settings, clock).parts
