"""The server's wrapper round every Kite method: request id and deadline in, failures out whole.

Only methods of `kite.v1` are wrapped: the standard health `Watch` is a coroutine that writes to
its context, not an async generator, and a wrapper that assumed otherwise would break it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any, NoReturn, TypeAlias

import grpc
from google.protobuf.message import DecodeError

from kite import crash
from kite.errors import Internal, KiteError, Malformed, Unavailable
from kite.rpc import caller, failures
from kite.telemetry import logs

_log = logs.get(__name__)
# Watches of one method at a time, so that held requests of several edges leave room for all else:
# a server takes kite.rpc.server.MAX_CONCURRENT calls.
MOST_WATCHES = 640
_AGAIN_SECONDS = 5
_Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


async def _abort(context: _Context, method: str, error: Exception) -> NoReturn:
    if not isinstance(error, KiteError):
        _log.error("call failed by a defect", method=method, exc_info=error)
        error = Internal("an internal fault; the request id finds it in the log")
    await context.abort(
        failures.STATUS[type(error)], str(error), trailing_metadata=failures.trailers(error)
    )


def _stopping() -> Unavailable:
    return Unavailable("this service is stopping; watch again", reason="STOPPING")


def _decoded(handler: Any, raw: bytes) -> Any:
    """The request message; gRPC itself would answer UNKNOWN or INTERNAL to bytes that are none.

    Raises:
        Malformed: MALFORMED_MESSAGE.
    """
    try:
        return handler.request_deserializer(raw)
    except DecodeError:
        raise Malformed(
            "the bytes sent are not the message of this method", reason="MALFORMED_MESSAGE"
        ) from None


def _enter(context: _Context) -> None:
    metadata = dict(context.invocation_metadata() or ())
    given = str(metadata.get(caller.REQUEST_ID_KEY, "")) or caller.new_request_id()
    caller.request_id.set(given)
    caller.waits(context.time_remaining())
    logs.bind(request_id=given)


@dataclass
class _Watch:
    """A stream that never ends by itself; `ours`: it waits for news, and not for its reader."""

    method: str
    ours: bool = True


class Calls(grpc.aio.ServerInterceptor):
    """Turns raised failures into trailers; knows what runs, and the streams that never end."""

    def __init__(self) -> None:
        self._streams: dict[asyncio.Task[Any], _Watch] = {}
        self._running = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._ending = False

    async def end(self, seconds: float) -> None:
        """Take no more calls, end every stream, and wait `seconds` at most for running calls.

        A new call gets a bare UNAVAILABLE, so that its channel may send it to another process.
        """
        self._ending = True
        for task, watch in tuple(self._streams.items()):
            if watch.ours:  # in the middle of a write gRPC would hear it, and tell nobody why
                task.cancel()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._idle.wait()

    @contextlib.contextmanager
    def _counted(self) -> Iterator[None]:
        self._running += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._running -= 1
            if not self._running:
                self._idle.set()

    async def intercept_service(
        self,
        continuation: Callable[
            [grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]
        ],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        handler: Any = await continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None or not method.startswith("/kite.v1."):
            return handler  # type: ignore[no-any-return]
        assert not handler.request_streaming, f"{method}: no method of Kite takes a stream"
        if handler.response_streaming:
            return self._stream(handler, method)
        return self._single(handler, method)

    def _stream(self, handler: Any, method: str) -> grpc.RpcMethodHandler[Any, Any]:
        async def call(raw: bytes, context: _Context) -> AsyncIterator[Any]:
            _enter(context)
            await self._refuse_late(context)
            task = asyncio.current_task()
            assert task is not None
            try:
                request = _decoded(handler, raw)
                watch = self._enter_watch(task, method)
                async for answer in handler.unary_stream(request, context):
                    watch.ours = False
                    yield answer
                    watch.ours = True
                    if self._ending:
                        await _abort(context, method, _stopping())
            except asyncio.CancelledError:
                if not self._ending:
                    raise
                self._streams.pop(task, None)
                await _abort(context, method, _stopping())
            except grpc.aio.AbortError:
                raise
            except Exception as error:  # noqa: BLE001 - the boundary: every failure gets a name here
                self._streams.pop(task, None)  # an end must not cut off the telling of it
                await _abort(context, method, error)
            finally:
                self._streams.pop(task, None)

        return grpc.unary_stream_rpc_method_handler(
            call, response_serializer=handler.response_serializer
        )

    def _enter_watch(self, task: asyncio.Task[Any], method: str) -> _Watch:
        """Raises Unavailable BUSY when as many watch already."""
        if sum(one.method == method for one in self._streams.values()) >= MOST_WATCHES:
            raise Unavailable(
                f"{MOST_WATCHES} calls of this method watch already; ask, or watch again later",
                reason="BUSY",
                retry_after=_AGAIN_SECONDS,
            )
        watch = self._streams[task] = _Watch(method)
        return watch

    def _single(self, handler: Any, method: str) -> grpc.RpcMethodHandler[Any, Any]:
        name = method.rpartition("/")[2]

        async def call(raw: bytes, context: _Context) -> Any:
            _enter(context)
            await self._refuse_late(context)
            with self._counted():
                try:
                    answer = await handler.unary_unary(_decoded(handler, raw), context)
                except (asyncio.CancelledError, grpc.aio.AbortError):
                    raise
                except Exception as error:  # noqa: BLE001 - the boundary, as above
                    await _abort(context, method, error)
            crash.point("before-reply-", name)
            return answer

        return grpc.unary_unary_rpc_method_handler(
            call, response_serializer=handler.response_serializer
        )

    async def _refuse_late(self, context: _Context) -> None:
        if self._ending:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "this service is stopping")
