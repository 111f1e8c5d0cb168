"""moto's EC2 seen as facts, and the few hands that change it. The only door to its models.

Everything that touches the cloud holds `lock`: moto is not made for threads, and a rule's
look and moto's act must be one step.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from ipaddress import IPv4Network
from typing import Any

from localcloud.strict.absence import absent
from localcloud.strict.call import Call, Refusal, Reply
from localcloud.strict.hiding import HiddenIds
from localcloud.strict.knobs import Knobs
from localcloud.strict.life import CODES, GONE, LifeBook, State
from localcloud.strict.look import Looking
from localcloud.strict.patches import Patches
from localcloud.strict.pool import AddressPool, PoolEmpty
from localcloud.strict.wire import FORM, XML, code_in, encode

Environ = dict[str, Any]
Application = Callable[[Environ, Callable[..., Any]], Any]


class Cloud(Looking):
    """The one cloud of this process."""

    def __init__(
        self,
        application: Application,
        *,
        pool: IPv4Network,
        knobs: Knobs,
        held: frozenset[State],
        clock: Callable[[], float],
    ) -> None:
        self.lock = threading.RLock()
        self.knobs = knobs
        self.clock = clock
        self.pool = AddressPool(pool)
        self.hidden = HiddenIds()
        self.turn = 0
        self.replaying = ""
        self.held = held
        self.reboots: list[str] = []
        self._life = LifeBook()
        self._application = application
        self._patches = Patches()

    # -- opening and closing -------------------------------------------------------------

    def open(self) -> None:
        """Take moto over: an empty cloud whose public addresses come from our range only."""
        from moto.core.common_models import BaseModel
        from moto.ec2.models import elastic_ip_addresses, elastic_network_interfaces
        from moto.ec2.models.core import TaggedEC2Resource

        with self.lock:
            self._patches.set(TaggedEC2Resource, "get_tags", _tags)
            self._patches.set(BaseModel, "__new__", _unlisted(BaseModel))
            self._patches.set(elastic_network_interfaces, "random_public_ip", self._public)
            self._patches.set(elastic_ip_addresses, "random_ip", self._public)
            self.reset()

    def close(self) -> None:
        """Give moto back as it was, and empty."""
        with self.lock:
            self.reset()
            self._patches.undo()

    def reset(self) -> None:
        from moto.ec2.models import ec2_backends

        for regions in ec2_backends.values():
            first, *others = list(regions) or [""]
            for name in others:  # made again when asked for: each costs 40 ms to empty
                del regions[name]
            if first:
                regions[first].reset()
        self.hidden.clear()
        self.reboots.clear()
        self._life.clear()
        self.pool.reset()

    def _public(self) -> str:
        self.free_unused_addresses()
        try:
            return self.pool.take()
        except PoolEmpty as error:
            raise Refusal("InsufficientAddressCapacity", str(error)) from error

    def free_unused_addresses(self) -> None:
        """Give back to the range what no interface and no Elastic IP holds any more."""
        used: set[str] = set()
        for backend in self.backends():
            used.update(eni.public_ip for eni in backend.enis.values() if eni.public_ip)
            used.update(address.public_ip for address in backend.addresses)
        self.pool.keep_only(used)

    # -- time -----------------------------------------------------------------------------

    def begin(self, instance: Any, state: State) -> None:
        """Put an instance into a passing state for as long as the knobs say."""
        seconds = self.knobs.seconds_in(state, held=self.held)
        if seconds > 0:
            self._set_state(instance, state)
            self._life.begin(instance.id, state, self.clock() + seconds)
        elif state == State.TERMINATED:
            self._forget(instance)

    def begin_ending(self, instance: Any) -> None:
        """An instance was terminated: let it shut down, then stay visible for a while."""
        if self.knobs.shutting_down_seconds > 0:
            self.begin(instance, State.SHUTTING_DOWN)
        else:
            self.begin(instance, State.TERMINATED)

    def settle(self) -> None:
        """Let every state change happen whose time has come."""
        for instance_id, state in self._life.ripe(self.clock()):
            instance = self.instance(instance_id)
            self._life.end(instance_id)
            if instance is None:
                continue
            if state == GONE:
                self._forget(instance)
                continue
            self._set_state(instance, State(state))
            if state == State.TERMINATED:
                self.begin(instance, State.TERMINATED)

    def mark_reachable(self, instance_id: str) -> None:
        with self.lock:
            instance = self.instance(instance_id)
            if instance is not None and instance.state == State.PENDING:
                self._life.end(instance_id)
                self._set_state(instance, State.RUNNING)

    def mark_stopped(self, instance_id: str) -> None:
        with self.lock:
            instance = self.instance(instance_id)
            if instance is not None and instance.state == State.STOPPING:
                self._life.end(instance_id)
                self._set_state(instance, State.STOPPED)

    def mark_failed(self, instance_id: str, reason: str) -> None:
        from moto.ec2.models.instances import StateReason

        with self.lock:
            instance = self.instance(instance_id)
            if instance is None or instance.state == State.TERMINATED:
                return
            instance.terminate()
            self._set_state(instance, State.TERMINATED)
            self.begin(instance, State.TERMINATED)
            instance.state_reason = StateReason(f"{reason}: the instance did not start", reason)
            instance._reason = ""  # noqa: SLF001 - moto's own field; AWS leaves it empty here
            self.free_unused_addresses()

    @staticmethod
    def _set_state(instance: Any, state: State) -> None:
        instance._state.name = str(state)  # noqa: SLF001 - moto has no setter
        instance._state.code = CODES[state]  # noqa: SLF001

    def _forget(self, instance: Any) -> None:
        backend = instance.ec2_backend
        for key, reservation in list(backend.reservations.items()):
            reservation.instances = [i for i in reservation.instances if i is not instance]
            if not reservation.instances:
                del backend.reservations[key]
        backend.tags.pop(instance.id, None)

    # -- acting ---------------------------------------------------------------------------

    def forward(self, call: Call) -> Reply:
        """Let moto do the call. What it cannot do is refused in EC2's XML, never in HTML."""
        self.turn += 1
        status = 500

        def start(line: str, _headers: Any, _exc: Any = None) -> None:
            nonlocal status
            status = int(line.split(" ", 1)[0])

        try:
            body = b"".join(self._application(_environ(call), start))
        except Refusal:
            raise
        except NotImplementedError as error:
            text = f"{call.action} is not simulated here: {error}"
            raise Refusal("UnsupportedOperation", text) from error
        except Exception as error:
            raise Refusal("InternalError", f"{call.action}: {error!r}", 500) from error
        if status >= 400 and b"<Errors>" not in body:  # noqa: PLR2004 - HTTP
            raise Refusal("InternalError", f"{call.action} failed in the simulation", 500)
        return Reply(status, body, code_in(status, body), XML)

    def again(self, call: Call, reservation: str) -> Reply:
        """The reply of the launch that made a reservation, as its instances are now."""
        self.replaying = reservation
        try:
            return self.forward(call)
        finally:
            self.replaying = ""

    def without(self, call: Call, ids: Collection[str]) -> AbstractContextManager[None]:
        """Moto does not know these ids meanwhile."""
        return absent(self.backend(call), ids)


def _unlisted(base: Any) -> Any:
    """Makes objects that are not in moto's list of all there ever were, which nothing empties."""

    def new(model: type, *_: Any, **__: Any) -> Any:
        return super(base, model).__new__(model)

    return staticmethod(new)


def _tags(resource: Any) -> list[dict[str, str]]:
    """The tags of one resource, looked up instead of searched for among all tags."""
    tags = resource.ec2_backend.tags.get(resource.id, {}) if resource.id else {}
    return [{"resource_id": resource.id, "key": k, "value": v} for k, v in tags.items()]


def _environ(call: Call) -> Environ:
    body = encode(call)
    return {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/",
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_TYPE": FORM,
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_HOST": f"ec2.{call.region}.amazonaws.com",
        "HTTP_AUTHORIZATION": (
            f"AWS4-HMAC-SHA256 Credential=KITE/20000101/{call.region}/ec2/aws4_request"
        ),
        "HTTP_X_MOTO_ACCOUNT_ID": call.account,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
