"""The EC2 API of the local cloud: one endpoint, moto behind it, rules and faults before it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from ipaddress import IPv4Network
from typing import TYPE_CHECKING, Any

from localcloud.strict.call import Call, Params, Reply
from localcloud.strict.calls import CallLog
from localcloud.strict.faults import FaultScript
from localcloud.strict.knobs import Knobs, shown, turned
from localcloud.strict.life import State

if TYPE_CHECKING:
    from localcloud.strict.chain import Chain
    from localcloud.strict.cloud import Cloud
    from localcloud.strict.front import StrictFront
    from localcloud.strict.listen import Listener


class Ec2Api:
    """EC2 as strict as AWS, on the given addresses.

    moto keeps its state per process, so one of these may run in a process at a time.
    Public addresses come from `public_pool` only. With `hold_pending` an instance stays
    `pending` until `mark_reachable`, with `hold_stopping` it stays `stopping` until
    `mark_stopped`; otherwise for `knobs.pending_seconds` and `stopping_seconds` of `clock`.
    """

    _running: Ec2Api | None = None

    def __init__(
        self,
        *,
        listen: Sequence[tuple[str, int]],
        public_pool: IPv4Network,
        region: str = "us-east-1",
        hold_pending: bool = False,
        hold_stopping: bool = False,
        knobs: Knobs | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not listen:
            raise ValueError("at least one address to listen on is needed, e.g. ('127.0.0.1', 0)")
        self.faults = FaultScript()
        self.calls = CallLog()
        self._listen = list(listen)
        self._pool = public_pool
        self._region = region
        holds = {State.PENDING: hold_pending, State.STOPPING: hold_stopping}
        self._held = frozenset(state for state, is_held in holds.items() if is_held)
        self._knobs = knobs or Knobs()
        self._clock = clock
        self._listeners: list[Listener] = []
        self._inner: Listener | None = None
        self._cloud: Cloud | None = None
        self._chain: Chain | None = None
        self._front: StrictFront | None = None

    def start(self) -> None:
        """Listen. Raises OSError when an address is taken, RuntimeError when one runs already."""
        if Ec2Api._running is not None:
            raise RuntimeError("an Ec2Api is already running in this process; stop it first")
        from moto.moto_server.werkzeug_app import (
            DomainDispatcherApplication,
            create_backend_app,
        )

        from localcloud.strict.chain import Chain, every_rule
        from localcloud.strict.cloud import Cloud

        moto = DomainDispatcherApplication(create_backend_app)
        cloud = Cloud(moto, pool=self._pool, knobs=self._knobs, held=self._held, clock=self._clock)
        self._listen_with(cloud, Chain(every_rule(), cloud), moto)
        Ec2Api._running = self

    def _listen_with(self, cloud: Cloud, chain: Chain, others: Callable[..., Any]) -> None:
        """Open every address; `others` answers what is not EC2."""
        from localcloud.strict.control import Control
        from localcloud.strict.front import PlainFront, StrictFront
        from localcloud.strict.listen import Listener

        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._cloud, self._chain = cloud, chain
        control = Control(
            faults=self.faults,
            calls=self.calls,
            rules=chain.documents,
            own=frozenset(host for host, _ in self._listen),
            hands=self._hands(),
            knobs=self._turn,
        )
        self._front = StrictFront(
            cloud,
            self._region,
            chain=chain,
            faults=self.faults,
            calls=self.calls,
            control=control,
        )
        try:
            for address in self._listen:
                self._listeners.append(Listener(address, self._front, others))
            self._inner = Listener(("127.0.0.1", 0), PlainFront(cloud, self._region), others)
        except OSError:
            self.stop()
            raise
        cloud.open()
        chain.install()
        for listener in [*self._listeners, self._inner]:
            listener.start()

    def stop(self) -> None:
        """Stop listening and give moto back as it was. Safe to call twice."""
        if self._front is not None:
            self._front.stop()
        for listener in [*self._listeners, *([self._inner] if self._inner else [])]:
            listener.stop()
        self._listeners, self._inner = [], None
        if Ec2Api._running is self and self._chain is not None:
            with self._need().lock:
                self._chain.remove()
                self._need().close()
            Ec2Api._running = None

    @property
    def endpoint(self) -> str:
        """Where clients go: the first listen address."""
        return self._url(self._listeners[0] if self._listeners else None)

    @property
    def endpoints(self) -> list[str]:
        """Every listen address, in the order given."""
        return [self._url(listener) for listener in self._listeners]

    @property
    def internal_endpoint(self) -> str:
        """Where moto answers without rules, faults and log; loopback only."""
        return self._url(self._inner)

    @property
    def chain(self) -> Chain:
        """The rules, for tests that switch one off."""
        if self._chain is None:
            raise RuntimeError("the EC2 API was not started")
        return self._chain

    @property
    def knobs(self) -> Knobs:
        """What is in force; may be set while running, until the next reset."""
        return self._need().knobs

    @knobs.setter
    def knobs(self, knobs: Knobs) -> None:
        self._need().knobs = knobs

    def _turn(self, values: Mapping[str, Any]) -> dict[str, Any]:
        self.knobs = turned(self.knobs, values)
        return shown(self.knobs)

    @property
    def hold_pending(self) -> bool:
        """Whether new instances wait for `mark_reachable`; may be set until the next reset."""
        return State.PENDING in self._need().held

    @hold_pending.setter
    def hold_pending(self, hold: bool) -> None:
        self._hold(State.PENDING, hold=hold)

    @property
    def hold_stopping(self) -> bool:
        """Whether stopped instances wait for `mark_stopped`; may be set until the next reset."""
        return State.STOPPING in self._need().held

    @hold_stopping.setter
    def hold_stopping(self, hold: bool) -> None:
        self._hold(State.STOPPING, hold=hold)

    def _hold(self, state: State, *, hold: bool) -> None:
        held = self._need().held - {state}
        self._need().held = held | {state} if hold else held

    def mark_reachable(self, instance_id: str) -> None:
        """The instance is up: `pending` becomes `running`. Unknown or ended ones are ignored."""
        self._need().mark_reachable(instance_id)

    def mark_stopped(self, instance_id: str) -> None:
        """The instance is down: `stopping` becomes `stopped`. All others are ignored."""
        self._need().mark_stopped(instance_id)

    def take_reboots(self) -> list[str]:
        """Instances that shall reboot, in the order of the requests; each request is told once."""
        cloud = self._need()
        with cloud.lock:
            taken, cloud.reboots = cloud.reboots, []
        return taken

    def mark_failed(self, instance_id: str, reason: str = "Client.InternalError") -> None:
        """The instance never came up: `terminated` with `reason` as its StateReason code."""
        self._need().mark_failed(instance_id, reason)

    def ask(self, action: str, **params: Any) -> Reply:
        """One call from inside this process; a refusal is a reply, a lost reply is Dropped.

        Rules, faults and the log see it as any other; account and region are the first ones.
        """
        if self._front is None:
            raise RuntimeError("the EC2 API was not started")
        account = self._need().account_of("kite")
        return self._front.ask(Call(action, Params(params), account, self._region))

    def enforce_with(self, enforce: Callable[[], None]) -> None:
        """Have `enforce` called after every change of rules, before the change is answered."""
        if self._front is None:
            raise RuntimeError("the EC2 API was not started")
        self._front.enforce = enforce

    def reset(self) -> None:
        """Start from an empty cloud: no resources, faults, calls or tokens; knobs as at first.

        Calls that somebody gave up waiting for end before, so that none is met afterwards.
        """
        self.faults.clear()
        if self._front is not None:
            self._front.finish()
        self.calls.clear()
        with self._need().lock:
            self._need().reset()
            self.knobs, self._need().held = self._knobs, self._held
            self.chain.reset()

    def _need(self) -> Cloud:
        if self._cloud is None:
            raise RuntimeError("the EC2 API was not started")
        return self._cloud

    def _hands(self) -> dict[str, Callable[[Mapping[str, Any]], None]]:
        return {
            "reset": lambda _: self.reset(),
            "reachable": lambda body: self.mark_reachable(str(body["instance-id"])),
            "failed": lambda body: self.mark_failed(
                str(body["instance-id"]), str(body.get("reason", "Client.InternalError"))
            ),
        }

    @staticmethod
    def _url(listener: Listener | None) -> str:
        if listener is None:
            raise RuntimeError("the EC2 API is not running")
        host = "127.0.0.1" if listener.host in {"", "0.0.0.0"} else listener.host  # noqa: S104
        return f"http://{host}:{listener.port}"
