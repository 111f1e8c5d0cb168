"""The cloud of the fake: estates by account and region, time, and the door to all actions.

It answers the questions that strict rules ask, so the same rules stand before it and moto.
"""

from __future__ import annotations

import heapq
import math
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from ipaddress import IPv4Network
from typing import Any

from localcloud.fake.estate import Estate
from localcloud.fake.looking import FakeLooking
from localcloud.fake.things import Instance, Interface
from localcloud.strict.call import Call, Refusal, Reply
from localcloud.strict.hiding import HiddenIds
from localcloud.strict.knobs import Knobs
from localcloud.strict.life import GONE, NEXT, State
from localcloud.strict.pool import AddressPool, PoolEmpty

Handler = Callable[["FakeCloud", Estate, Call], Reply]
_DRY = "Request would have succeeded, but DryRun flag is set."
_DRY_STATUS = 412


class FakeCloud(FakeLooking):
    """One cloud; many may live in one process. Callers hold `lock`."""

    def __init__(
        self,
        actions: Mapping[str, Handler],
        *,
        pool: IPv4Network,
        knobs: Knobs,
        held: frozenset[State],
        clock: Callable[[], float],
    ) -> None:
        super().__init__()
        self.lock = threading.RLock()
        self.knobs = knobs
        self.clock = clock
        self.pool = AddressPool(pool)
        self.hidden = HiddenIds()
        self.held = held
        self.reboots: list[str] = []
        self._actions = actions
        self._due: list[tuple[float, int, Instance, Estate, int]] = []
        self._pushed = 0

    def open(self) -> None:
        """Nothing to take over: moto is not behind this."""

    def reset(self) -> None:
        self.estates.clear()
        self._due.clear()
        self.hidden.clear()
        self.reboots.clear()
        self.pool.reset()

    close = reset

    # -- acting ---------------------------------------------------------------------------

    def forward(self, call: Call) -> Reply:
        """Do a call. Raises Refusal for what EC2 refuses and for what is not simulated."""
        handler = self._actions.get(call.action)
        if handler is None:
            raise Refusal("UnsupportedOperation", f"{call.action} is not simulated here")
        if call.dry:
            raise Refusal("DryRunOperation", _DRY, _DRY_STATUS)
        return handler(self, self.backend(call), call)

    def again(self, call: Call, reservation: str) -> Reply:
        """The reply of the launch that made a reservation."""
        return self._actions["RunInstances"](self, self.backend(call), call.only(again=reservation))

    @contextmanager
    def without(self, call: Call, ids: Collection[str]) -> Iterator[None]:
        """These ids are not there meanwhile. What is made meanwhile stays."""
        estate = self.backend(call)
        shelves: tuple[dict[str, Any], ...] = (
            estate.instances,
            estate.volumes,
            estate.interfaces,
            estate.groups,
            estate.addresses,
        )
        taken = [{one: shelf.pop(one) for one in ids if one in shelf} for shelf in shelves]
        try:
            yield
        finally:
            for shelf, away in zip(shelves, taken, strict=True):
                shelf.update(away)

    # -- addresses ------------------------------------------------------------------------

    def take_public(self) -> str:
        try:
            return self.pool.take()
        except PoolEmpty as error:
            raise Refusal("InsufficientAddressCapacity", str(error)) from error

    def free_unused_addresses(self) -> None:
        """Every action frees what it ends itself."""

    def drop_public(self, interface: Interface) -> None:
        """An address of its own goes back to the pool; an Elastic IP is only let go of."""
        if interface.public_ip and not interface.allocation_id:
            self.pool.give(interface.public_ip)
        interface.public_ip = interface.allocation_id = ""

    # -- time -----------------------------------------------------------------------------

    def begin(
        self, estate: Estate, instance: Instance, state: State, at: float | None = None
    ) -> None:
        """Put an instance into a passing state for as long as the knobs say, from `at` on."""
        seconds = self.knobs.seconds_in(state, held=self.held)
        self._turn(instance, state)
        if not math.isinf(seconds):
            self._pushed += 1
            since = self.clock() if at is None else at
            entry = (since + seconds, self._pushed, instance, estate, instance.turns)
            heapq.heappush(self._due, entry)

    def settle(self) -> None:
        """Let every state change happen whose time has come."""
        now = self.clock()
        while self._due and self._due[0][0] <= now:
            at, _, instance, estate, turns = heapq.heappop(self._due)
            if instance.turns == turns and instance.id in estate.instances:
                self._pass(estate, instance, at)

    def _pass(self, estate: Estate, instance: Instance, at: float) -> None:
        after = NEXT[instance.state]
        if after == GONE:
            estate.forget(instance)
        elif after == State.TERMINATED:
            self._end(estate, instance, at)
        else:
            self._turn(instance, State(after))

    @staticmethod
    def _turn(instance: Instance, state: State) -> None:
        instance.state, instance.shown = state, ""
        instance.turns += 1

    def _end(self, estate: Estate, instance: Instance, at: float) -> None:
        """Everything that ends with an instance ends."""
        if instance.interface is not None:
            estate.drop_interface(instance.interface)
            instance.interface = None
        for volume_id in instance.volumes.values():
            volume = estate.volumes[volume_id]
            volume.instance_id = volume.device = ""
            if volume.ends_with_instance:
                estate.drop_volume(volume_id)
        instance.volumes = {}
        self.begin(estate, instance, State.TERMINATED, at)

    def mark_reachable(self, instance_id: str) -> None:
        with self.lock:
            instance = self.instance(instance_id)
            if instance is not None and instance.state == State.PENDING:
                self._turn(instance, State.RUNNING)

    def mark_stopped(self, instance_id: str) -> None:
        with self.lock:
            instance = self.instance(instance_id)
            if instance is not None and instance.state == State.STOPPING:
                self._turn(instance, State.STOPPED)

    def mark_failed(self, instance_id: str, reason: str) -> None:
        with self.lock:
            for estate in self.estates.values():
                instance = estate.instances.get(instance_id)
                if instance is not None and instance.state != State.TERMINATED:
                    self.let_go(estate, instance)
                    self._end(estate, instance, self.clock())
                    instance.reason = reason

    def let_go(self, estate: Estate, instance: Instance) -> None:
        """An ending instance gives its addresses back at once."""
        interface = instance.interface
        if interface is None:
            return
        held = estate.addresses.get(interface.allocation_id)
        if held is not None:
            held.association_id, held.eni = "", None
        self.drop_public(interface)
