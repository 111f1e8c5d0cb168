"""An event loop whose time passes only when everybody waits: an hour takes milliseconds.

Every step belongs to an owner, the simulated process that began it: while an owner stands still
(SIGSTOP) none of its steps runs, whatever it waits for.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
from asyncio import events
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from contextvars import Context, ContextVar
from typing import Any, Protocol

MOST_STEPS = 1_000_000  # a day has ten thousand
EPOCH_MS = 1_800_000_000_000


class Stuck(AssertionError):
    """Everybody waits for something that no clock brings, or nobody ever waits."""


class Owner(Protocol):
    """Stands still until this time of the loop."""

    stopped_until: float


OWNER: ContextVar[Owner | None] = ContextVar("owner", default=None)


class Step:
    """What asyncio knows as a handle; cheaper, as a day has ten thousands of them."""

    __slots__ = ("args", "callback", "context", "dead", "owner", "when_")

    def __init__(
        self,
        callback: Callable[..., Any],
        args: tuple[Any, ...],
        context: Context | None,
        owner: Owner | None = None,
        when: float = 0.0,
    ) -> None:
        self.callback = callback
        self.args = args
        self.context = context
        self.owner = owner
        self.dead = False
        self.when_ = when

    def cancel(self) -> None:
        self.dead = True

    def cancelled(self) -> bool:
        return self.dead

    def when(self) -> float:
        return self.when_

    def stands_until(self) -> float:
        """When its owner goes on."""
        owner = self.context.get(OWNER) if self.context is not None else self.owner
        return owner.stopped_until if owner is not None else 0.0


class VirtualLoop(asyncio.AbstractEventLoop):
    """Just enough of a loop for coroutines, tasks, timeouts and queues."""

    def __init__(self) -> None:
        self.now = 0.0
        self.ready: deque[Step] = deque()
        self.timers: list[tuple[float, int, Step]] = []
        self.count = 0
        self.steps = 0
        self.stopped_until = 0.0  # nobody stands still after this
        self.defects: list[BaseException] = []

    # what asyncio asks for ----------------------------------------------------------------------

    def time(self) -> float:
        return self.now

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def call_soon(self, callback: Any, *args: Any, context: Context | None = None) -> Any:
        step = Step(callback, args, context)
        self.ready.append(step)
        return step

    def call_later(
        self, delay: float, callback: Any, *args: Any, context: Context | None = None
    ) -> Any:
        return self.call_at(self.now + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Any, *args: Any, context: Context | None = None
    ) -> Any:
        step = Step(callback, args, context, None if context is not None else OWNER.get(), when)
        self.count += 1
        heapq.heappush(self.timers, (when, self.count, step))
        return step

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(self, coro: Any, *, name: Any = None, context: Any = None) -> Any:
        return asyncio.Task(coro, loop=self, name=name, context=context)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        defect = context.get("exception")
        forgotten = str(context.get("message", "")).startswith("Future exception was never")
        if isinstance(defect, BaseException) and not forgotten:
            self.defects.append(defect)

    # time ---------------------------------------------------------------------------------------

    def run_until(self, main: asyncio.Future[Any]) -> None:
        while not main.done():
            self.steps += len(self.ready)
            if self.steps > MOST_STEPS:
                raise Stuck("they run round in circles")
            self._run_ready()
            if not main.done():
                self._go_on()

    def _run_ready(self) -> None:
        ready = self.ready
        while ready:
            step = ready.popleft()
            if step.dead:
                continue
            if self.stopped_until > self.now and (until := step.stands_until()) > self.now:
                self.count += 1
                heapq.heappush(self.timers, (until, self.count, step))
            elif step.context is None:
                step.callback(*step.args)
            else:
                step.context.run(step.callback, *step.args)

    def _go_on(self) -> None:
        """To the next time at which somebody has something to do."""
        timers, pop = self.timers, heapq.heappop
        while timers and timers[0][2].dead:
            pop(timers)
        if not timers:
            raise Stuck("nothing is scheduled")
        self.now = max(self.now, timers[0][0])
        while timers and timers[0][0] <= self.now:
            step = pop(timers)[2]
            if not step.dead:
                self.ready.append(step)

    def stop(self, owner: Owner, seconds: float) -> None:
        """`owner` stands still for so long."""
        owner.stopped_until = self.now + seconds
        self.stopped_until = max(self.stopped_until, owner.stopped_until)


class VirtualClock:
    """The Clock of the product on the running virtual loop; `skew` is its wall's error, seconds."""

    def __init__(self, skew: float = 0.0) -> None:
        self.skew = skew

    def now_ms(self) -> int:
        return EPOCH_MS + int((asyncio.get_running_loop().time() + self.skew) * 1000)

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run to the end.

    Raises:
        BaseException: what no task was asked about, first of all.
    """
    loop = VirtualLoop()
    before = events._get_running_loop()
    events._set_running_loop(loop)
    try:
        with _at_hand(loop):
            task = loop.create_task(main)
            loop.run_until(task)
            task.result()
        if loop.defects:
            raise loop.defects[0]
    finally:
        events._set_running_loop(before)


@contextlib.contextmanager
def _at_hand(loop: VirtualLoop) -> Iterator[None]:
    """asyncio asks the kernel for the process id whenever it is asked for its loop; ours knows."""
    places = ((asyncio, "get_running_loop"), (events, "get_running_loop"))
    places += ((events, "_get_running_loop"),)
    real = [getattr(module, name) for module, name in places]
    for module, name in places:
        setattr(module, name, lambda: loop)
    try:
        yield
    finally:
        for (module, name), function in zip(places, real, strict=True):
            setattr(module, name, function)
