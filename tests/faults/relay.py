"""A TCP relay that can be told to cut, to hold, or to swallow the reply of one request."""

import asyncio
import contextlib
import threading
from enum import StrEnum

EFFECT_SECONDS = 0.3  # within which a server has done what it was asked


class Mode(StrEnum):
    PASS = "pass"
    HOLD = "hold"  # connections are taken and nothing moves, as with a frozen server
    CUT = "cut"  # what is open breaks, what is new is refused


class Relay:
    """Between clients of `port` (0 = a free one) and port `target`; runs in a thread of its own.

    Use as a context manager. `lose(word)` lets the next request that holds `word` through and
    breaks its connection in place of the reply: the effect took place and nobody was told.
    """

    def __init__(self, host, target, *, port=0):
        self._target = (host, target)
        self._mode = Mode.PASS
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._pairs = set()
        self._server = None
        self._flows = None
        self._words = []
        self.port = port
        self.lost = 0

    def __enter__(self):
        self._thread.start()
        self._call(self._open())
        return self

    def __exit__(self, *_):
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _call(self, work):
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    def become(self, mode):
        self._call(self._become(mode))

    def lose(self, word, times=1):
        self._words += [word] * times

    async def _open(self):
        self._flows = asyncio.Event()
        self._flows.set()
        self._server = await asyncio.start_server(self._joined, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self):
        self._flows.set()
        if self._server:
            self._server.close()
            self._server = None
        pairs, self._pairs = self._pairs, set()
        for task in pairs:
            task.cancel()
        await asyncio.gather(*pairs, return_exceptions=True)

    async def _become(self, mode):
        if mode is Mode.CUT:
            await self._close()
        elif self._server is None:
            await self._open()
        if mode is Mode.HOLD:
            self._flows.clear()
        else:
            self._flows.set()
        self._mode = mode

    async def _joined(self, reader, writer):
        task = asyncio.current_task()
        self._pairs.add(task)
        other = None
        try:
            await self._flows.wait()
            back, other = await asyncio.open_connection(*self._target)
            doomed = asyncio.Event()
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(reader, other, doomed, asked=True))
                group.create_task(self._pump(back, writer, doomed, asked=False))
        except (OSError, ExceptionGroup, asyncio.CancelledError):
            pass
        finally:
            self._pairs.discard(task)
            for end in (writer, other):
                if end:
                    with contextlib.suppress(OSError):
                        end.transport.abort()

    async def _pump(self, reader, writer, doomed, *, asked):
        while True:
            data = await reader.read(1 << 16)
            await self._flows.wait()
            if not data:
                raise ConnectionResetError
            if not asked and doomed.is_set():
                self.lost += 1
                # These bytes may be HTTP/2's own, sent before the call itself was handled.
                await asyncio.sleep(EFFECT_SECONDS)
                raise ConnectionResetError
            if asked and (word := next((w for w in self._words if w in data), None)):
                self._words.remove(word)
                doomed.set()
            writer.write(data)
            await writer.drain()
