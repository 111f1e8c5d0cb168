"""The way of one EC2 call: faults, rules, moto, rules again, faults again, log."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from localcloud.strict.call import Call, Refusal, Reply
from localcloud.strict.calls import CallLog
from localcloud.strict.chain import Chain
from localcloud.strict.cloud import Cloud
from localcloud.strict.faults import Fault, FaultScript, Kind, refusal_of
from localcloud.strict.hiding import asked_empty, fresh_ids
from localcloud.strict.listen import Dropped, Incoming
from localcloud.strict.wire import decode, form_of, refusal_reply, signed_for

_LOG = logging.getLogger(__name__)
Control = Callable[[Incoming], Reply]
FIREWALL = frozenset(
    {
        "AuthorizeSecurityGroupIngress",
        "AuthorizeSecurityGroupEgress",
        "RevokeSecurityGroupIngress",
        "RevokeSecurityGroupEgress",
        "ModifySecurityGroupRules",
        "ModifyInstanceAttribute",
        "ModifyNetworkInterfaceAttribute",
    }
)
"""Actions that change which packets pass."""


class PlainFront:
    """moto as it is: no rules, no faults, no log. For the local cloud's own loop."""

    def __init__(self, cloud: Cloud, region: str) -> None:
        self.cloud = cloud
        self._region = region

    def answer(self, incoming: Incoming) -> Reply:
        try:
            return self._serve(self._decode(incoming))
        except Refusal as refusal:
            return refusal_reply(refusal)
        except Dropped:
            raise
        except Exception as error:  # noqa: BLE001 - a broken rule must still answer as EC2 does
            _LOG.exception("a rule of the strict EC2 broke")
            return refusal_reply(Refusal("InternalError", repr(error), 500))

    def ask(self, call: Call) -> Reply:
        """One call from inside this process: no HTTP, everything else as always."""
        try:
            return self._serve(call)
        except Refusal as refusal:
            return refusal_reply(refusal)

    def _decode(self, incoming: Incoming) -> Call:
        key, region, _ = signed_for(incoming.authorization)
        form = form_of(incoming.body) or form_of(incoming.query.encode())
        account = incoming.account or self.cloud.account_of(key)
        return decode(form, account=account, region=region or self._region)

    def _serve(self, call: Call) -> Reply:
        with self.cloud.lock:
            self.cloud.settle()
            return self.cloud.forward(call)


class StrictFront(PlainFront):
    """What clients talk to."""

    def __init__(
        self,
        cloud: Cloud,
        region: str,
        *,
        chain: Chain,
        faults: FaultScript,
        calls: CallLog,
        control: Control,
    ) -> None:
        super().__init__(cloud, region)
        self._chain = chain
        self._faults = faults
        self._calls = calls
        self._control = control
        self._pause = threading.Event()
        self._at_work, self._quiet = 0, threading.Condition()
        self.enforce: Callable[[], None] = lambda: None
        """Called after a change of rules, before it is answered."""

    def answer(self, incoming: Incoming) -> Reply:
        if incoming.path.startswith("/_kite/"):
            return self._control(incoming)
        return super().answer(incoming)

    def _serve(self, call: Call) -> Reply:
        with self._counted():
            return self._noted(call)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        with self._quiet:
            self._at_work += 1
        try:
            yield
        finally:
            with self._quiet:
                self._at_work -= 1
                self._quiet.notify_all()

    def _noted(self, call: Call) -> Reply:
        code = "dropped"
        try:
            reply = self._with_faults(call)
            code = reply.code
        except Refusal as refusal:
            code = refusal.code
            raise
        finally:
            self._calls.note(call, self.cloud.clock(), code)
        return reply

    def _with_faults(self, call: Call) -> Reply:
        met = self._faults.meeting(call, self._zone(call))
        for fault in met:
            self._before(fault)
        reply = self._answered(call)
        if call.action in FIREWALL and reply.code == "OK":
            self.enforce()
        for fault in met:
            self._after(fault, call, reply)
        return reply

    def _answered(self, call: Call) -> Reply:
        """A refusal is an answer too: it can be lost or late like any other."""
        try:
            return self._with_rules(call)
        except Refusal as refusal:
            return refusal_reply(refusal)

    def _zone(self, call: Call) -> str:
        """Where a launch would go; of no interest without faults."""
        if call.action != "RunInstances" or not self._faults.armed:
            return ""
        with self.cloud.lock:
            return self.cloud.zone_of(call) or self.cloud.default_zone(call)

    def _before(self, fault: Fault) -> None:
        if fault.kind is Kind.RESET:
            raise Dropped
        if fault.kind is Kind.DELAY:
            self._pause.wait(fault.seconds)
        refusal = refusal_of(fault)
        if refusal is not None:
            raise refusal

    def _after(self, fault: Fault, call: Call, reply: Reply) -> None:
        if fault.kind is Kind.HIDE and reply.code == "OK":
            self.cloud.hidden.hide(fresh_ids(call, reply), fault.describes, empty=fault.empty)
        if fault.kind is Kind.LOST_REPLY:
            raise Dropped
        if fault.kind is Kind.DELAY_REPLY:
            self._pause.wait(fault.seconds)

    def _with_rules(self, call: Call) -> Reply:
        unseen = self.cloud.hidden.unseen_by(call, self.cloud.clock())
        with self.cloud.lock:
            self.cloud.settle()
            if not unseen:
                return self._chain.run(call, self.cloud)
            with self.cloud.without(call, unseen):
                return self._chain.run(asked_empty(call, unseen), self.cloud)

    def stop(self) -> None:
        """End every wait of a delay at once."""
        self._pause.set()

    def finish(self, *, seconds: float = 30.0) -> None:
        """Let calls that are in work end now, also delayed ones; wait no longer than `seconds`."""
        self._pause.set()
        with self._quiet:
            self._quiet.wait_for(lambda: self._at_work == 0, seconds)
        self._pause.clear()
