"""A channel to another service: one for the life of the process, deadlines on every call.

Retries happen in gRPC itself (service config), only on UNAVAILABLE and only for methods that may
be repeated; failures are raised as the class the server raised.
"""

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
from grpc.aio import AioRpcError, ClientCallDetails

from kite import crash
from kite.rpc import caller, failures

# Changes of records are as quick as reads; the other services work on EC2.
READ_SECONDS, RECORD_SECONDS, CHANGE_SECONDS = 5.0, 5.0, 30.0
MAX_MESSAGE_BYTES = 4 << 20
_READS = ("Get", "List")
_RECORDS = ("RegistryService", "ControllerService", "OperationService")
# Changes that may be repeated: idempotent by name, key, fence or content.
_REPEATABLE_CHANGES = {
    "kite.v1.RegistryService": ("CreateCluster", "DeleteCluster"),
    "kite.v1.ControllerService": ("Renew", "Commit", "ClaimDuty"),
    "kite.v1.OperationService": ("RecordOperation",),
    "kite.v1.WhitelistService": ("EnsureGroups", "CloseGroups", "DropGroups"),
    "kite.v1.ProvisionerService": ("Nudge",),
}
_READ_METHODS = {
    "kite.v1.RegistryService": ("GetCluster", "ListClusters", "ListPlans"),
    "kite.v1.OperationService": ("GetOperation", "ListOperations", "ListEvents"),
    "kite.v1.WhitelistService": ("GetRules", "CheckRules"),
    "kite.v1.ProvisionerService": ("CheckOffers",),
}


def _service_config(*, several: bool) -> str:
    names = [
        {"service": service, "method": method}
        for table in (_REPEATABLE_CHANGES, _READ_METHODS)
        for service, methods in table.items()
        for method in methods
    ]
    policy = {
        "maxAttempts": 4,
        "initialBackoff": "0.1s",
        "maxBackoff": "1s",
        "backoffMultiplier": 2,
        "retryableStatusCodes": ["UNAVAILABLE"],
    }
    throttle = {"maxTokens": 10, "tokenRatio": 0.1}
    config: dict[str, Any] = {
        "methodConfig": [{"name": names, "retryPolicy": policy}],
        "retryThrottling": throttle,
    }
    if several:
        config["loadBalancingConfig"] = [{"round_robin": {}}]
    return json.dumps(config)


# Keepalive ends a call to a frozen peer only with all three of its settings
# (measured on grpcio 1.85.1: without ping_timeout_ms the call hangs until its deadline).
# It must go on when nothing else is sent, or a quiet stream to a frozen peer never ends.
_OPTIONS: list[tuple[str, Any]] = [
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 3_000),
    ("grpc.http2.ping_timeout_ms", 3_000),
    ("grpc.http2.max_pings_without_data", 0),
]


def _prepared(details: ClientCallDetails, *, deadline: float | None) -> ClientCallDetails:
    metadata = details.metadata or grpc.aio.Metadata()
    if caller.request_id.get() and metadata.get(caller.REQUEST_ID_KEY) is None:
        metadata.add(caller.REQUEST_ID_KEY, caller.request_id.get())
    timeout = details.timeout if details.timeout is not None else deadline
    left = caller.remaining()
    if timeout is not None and left is not None:
        timeout = min(timeout, left)
    return ClientCallDetails(
        details.method, timeout, metadata, details.credentials, details.wait_for_ready
    )


def _words(method: str | bytes) -> tuple[str, str]:
    """Service without its package, and method."""
    text = method.decode() if isinstance(method, bytes) else method
    service, _, name = text.rpartition("/")
    return service.rpartition(".")[2], name


def _deadline(method: str | bytes) -> float:
    service, name = _words(method)
    if name.startswith(_READS):
        return READ_SECONDS
    return RECORD_SECONDS if service in _RECORDS else CHANGE_SECONDS


class _Unary(grpc.aio.UnaryUnaryClientInterceptor):
    def __init__(self, target: str) -> None:
        self._target = target

    async def intercept_unary_unary(
        self, continuation: Callable[..., Any], client_call_details: ClientCallDetails, request: Any
    ) -> Any:
        details = _prepared(client_call_details, deadline=_deadline(client_call_details.method))
        try:
            call = await continuation(details, request)
            answer = await call
        except AioRpcError as failed:
            raise failures.from_rpc(failed, self._target) from None
        crash.point("after-answer-", _words(details.method)[1])
        return answer


class _Stream(grpc.aio.UnaryStreamClientInterceptor):
    def __init__(self, target: str) -> None:
        self._target = target

    async def intercept_unary_stream(
        self, continuation: Callable[..., Any], client_call_details: ClientCallDetails, request: Any
    ) -> Any:
        call = await continuation(_prepared(client_call_details, deadline=None), request)
        return self._answers(call)

    async def _answers(self, call: Any) -> AsyncIterator[Any]:
        try:
            async for answer in call:
                yield answer
        except AioRpcError as failed:
            raise failures.from_rpc(failed, self._target) from None
        finally:
            call.cancel()


def connect(target: str, *, name: str) -> grpc.aio.Channel:
    """Channel to `target`; `name` is what failures call it, for example registry.

    `target` is host:port, or several processes of one service that take turns: IP:port,IP:port,
    or dns:///name:port for a name with several addresses. One that is away is left out.
    """
    several = "," in target or target.startswith("dns:")
    return grpc.aio.insecure_channel(
        f"ipv4:{target}" if "," in target else target,
        options=[("grpc.service_config", _service_config(several=several)), *_OPTIONS],
        interceptors=[_Unary(name), _Stream(name)],
    )
