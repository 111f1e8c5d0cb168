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

READ_SECONDS, CHANGE_SECONDS = 5.0, 30.0
_READS = ("Get", "List")
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
_OPTIONS: list[tuple[str, Any]] = [
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 3_000),
    ("grpc.http2.ping_timeout_ms", 3_000),
]


def _prepared(details: ClientCallDetails, *, deadline: float | None) -> ClientCallDetails:
    metadata = details.metadata or grpc.aio.Metadata()
    if caller.request_id.get() and metadata.get(caller.REQUEST_ID_KEY) is None:
        metadata.add(caller.REQUEST_ID_KEY, caller.request_id.get())
    timeout = details.timeout if details.timeout is not None else deadline
    return ClientCallDetails(
        details.method, timeout, metadata, details.credentials, details.wait_for_ready
    )


def _name(method: str | bytes) -> str:
    text = method.decode() if isinstance(method, bytes) else method
    return text.rsplit("/", 1)[-1]


def _deadline(method: str | bytes) -> float:
    return READ_SECONDS if _name(method).startswith(_READS) else CHANGE_SECONDS


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
        crash.point("after-answer-", _name(details.method))
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
