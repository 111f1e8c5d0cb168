"""A gRPC server of Kite: failures cross whole, health and reflection answer, drain is graceful."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from kite.process import CannotListen, Stop
from kite.rpc.client import MAX_MESSAGE_BYTES
from kite.rpc.interceptors import Calls
from kite.telemetry import logs

_log = logs.get(__name__)
MAX_CONCURRENT = 1024
DRAIN_SECONDS = 20.0
FAREWELL_SECONDS = 1.0  # for last answers to leave, and for watchers of health to be told
_OPTIONS = [
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.so_reuseport", 0),  # a second server on the port must fail, not share it silently
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
]


class RpcServer:
    """Add servicers, then serve; or start and drain, for whoever hosts one in a process of his own.

    Raises (start):
        CannotListen: the address cannot be bound.
    """

    def __init__(self, listen: str) -> None:
        self.listen = listen
        self._names: list[str] = []
        self._health = health.aio.HealthServicer()
        self._calls = Calls()
        self._server = grpc.aio.server(
            interceptors=[self._calls], options=_OPTIONS, maximum_concurrent_rpcs=MAX_CONCURRENT
        )

    def add(
        self, register: Callable[[Any, grpc.aio.Server], None], servicer: Any, name: str
    ) -> None:
        """`register` is the generated add_…_to_server; `name` the full service name."""
        register(servicer, self._server)
        self._names.append(name)

    async def start(self) -> int:
        """Bind and serve; answers the port."""
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        reflected = (*self._names, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(reflected, self._server)
        try:
            port = self._server.add_insecure_port(self.listen)
        except RuntimeError:
            raise CannotListen(self.listen) from None
        await self._server.start()
        await self.set_serving(serving=True)
        return port

    async def set_serving(self, *, serving: bool) -> None:
        status = health_pb2.HealthCheckResponse
        state = status.SERVING if serving else status.NOT_SERVING
        for name in ("", *self._names):
            await self._health.set(name, state)

    async def drain(self, grace_seconds: float = DRAIN_SECONDS) -> None:
        """Say NOT_SERVING, end streams, let running calls end for `grace_seconds`, then stop."""
        await self._health.enter_graceful_shutdown()
        await self._calls.end(grace_seconds)
        await self._server.stop(min(grace_seconds, FAREWELL_SECONDS))

    async def serve(
        self,
        stop: Stop,
        *beside: Coroutine[Any, Any, None],
        draining: Callable[[], None] = lambda: None,
        **facts: object,
    ) -> None:
        """Serve until `stop`, then drain.

        What runs `beside` begins once the port is open and is cancelled at the drain. It must not
        end before: then serving ends too, and its failure is raised. `draining` is called as the
        drain begins; `facts` go into the log's line that says ready.
        """
        try:
            port = await self.start()
        except CannotListen:
            for work in beside:
                work.close()
            raise
        tasks = [asyncio.create_task(work) for work in beside]
        for task in tasks:
            task.add_done_callback(lambda _: stop.set())
        _log.info("ready", listen=self.listen, port=port, **facts)
        await stop.wait()
        _log.info("draining")
        for task in tasks:
            task.cancel()
        draining()
        await self.drain()
        for ended in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(ended, Exception):
                raise ended
