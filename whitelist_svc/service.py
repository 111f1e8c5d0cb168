"""What users do with a whitelist: set it, read it, have it judged."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from kite import crash
from kite.clock import Clock
from kite.errors import CloudThrottled, Conflict, Internal, KiteError, NotFound, Unavailable
from kite.telemetry import logs
from kite.v1 import operation_pb2
from whitelist_svc import refusal, report, rules
from whitelist_svc.apply import Pause
from whitelist_svc.change import Held
from whitelist_svc.cluster import Cluster
from whitelist_svc.follow import Follower, InForce, Locks
from whitelist_svc.looks import Looks
from whitelist_svc.records import SERVICE, Done, Records, cluster_deleting, operation
from whitelist_svc.report import Line, State
from whitelist_svc.rules import Accepted, Policy, Wished

_log = logs.get(__name__)
PATIENCE_SECONDS = 20.0  # shorter than the deadline of whoever calls
LOOK_SECONDS = 3.0  # a reader is told "unknown" sooner than the edge gives up
RECORD_SECONDS = 2.0  # for the begin of an operation: its id is in the answer anyhow
RECORD_AGAIN_SECONDS = (1.0, 5.0, 30.0)  # for the end of one that somebody follows
AGAIN_SECONDS = (0.25, 1.0)  # pauses after silence, before the list is looked at again
_SHOWN_RULES = 20  # a failure travels in call metadata, which takes 8 KiB
_DEFECT = "Kite met a defect of its own"


@dataclass(frozen=True, slots=True)
class Ask:
    """A whole new whitelist; `expected_revision` 0 = any."""

    user: str
    milvus_name: str
    wished: Sequence[Wished]
    expected_revision: int = 0
    allow_public: bool = False
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of it."""

    lines: tuple[Line, ...]
    revision: int
    operation: operation_pb2.Operation
    granted: int
    revoked: int
    notices: tuple[str, ...]


@dataclass(slots=True)
class _Change:
    """A list on its way into force.

    Once a wish is `acknowledged` it is never taken back; while it is being taken back, `undoing`,
    it is not acknowledged any more. `ours`: this very change stored the wish, so it may take it
    back.
    """

    ask: Ask
    before: Cluster
    stored: Cluster
    accepted: Accepted
    started: int
    ours: bool
    unset: bool
    operation_id: str
    acknowledged: bool = False
    undoing: bool = False


class Whitelists:
    """Users' side of the service."""

    def __init__(
        self,
        records: Records,
        follower: Follower,
        clock: Clock,
        *,
        policy: Policy,
        patience: float = PATIENCE_SECONDS,
        look: float = LOOK_SECONDS,
        pause: Pause = asyncio.sleep,
    ) -> None:
        self._records = records
        self._follower = follower
        self._clock = clock
        self._policy = policy
        self._patience = patience
        self._look = look
        self._pause = pause
        self._looks = Looks(follower)
        self._first = Locks()
        self._applying: dict[asyncio.Task[Answer], _Change] = {}

    def check(self, wished: Sequence[Wished], *, allow_public: bool) -> Accepted:
        """Judge only; raises as `rules.accept` does."""
        return rules.accept(
            wished, self._policy, now_ms=self._clock.now_ms(), allow_public=allow_public
        )

    async def get(self, user: str, milvus_name: str) -> tuple[tuple[Line, ...], int]:
        """The wish with what is in force of it, and its revision.

        When EC2 cannot be asked, or not soon, the wish is answered with unknown states.
        """
        cluster = await self._records.of_user(user, milvus_name)
        held: Sequence[Held] | None = None
        try:
            async with asyncio.timeout(self._look):
                held = await self._looks.at(cluster) or ()
        except (Unavailable, CloudThrottled, TimeoutError):
            _log.info("EC2 did not tell what is in force", cluster=cluster.cluster_id)
        return self._lines(cluster, held), cluster.revision

    def _lines(self, cluster: Cluster, held: Sequence[Held] | None) -> tuple[Line, ...]:
        entries = rules.live(cluster.entries, self._clock.now_ms()) if cluster.wanted else ()
        return report.lines(entries, held, web_gui=self._policy.web_gui)

    async def set(self, ask: Ask) -> Answer:
        """Judge, store as the wish, apply, read back, record.

        A change that EC2 keeps waiting is answered before it ends, as being applied, with its
        operation running. From then on the list stays the wish whatever EC2 says.

        Raises:
            InvalidRequest, Forbidden: the list cannot be accepted; nothing was changed.
            NotFound: NO_SUCH_CLUSTER.
            Conflict: CLUSTER_DELETING, or somebody changed the list first.
            CloudRefused, CloudThrottled, OverLimit, Unavailable: EC2; the list before is the wish
                again, and the description tells what is in force; `restored` in the context is
                true when that is the list before.
        """
        started = self._clock.now_ms()
        accepted = self.check(ask.wished, allow_public=ask.allow_public)
        before = await self._records.of_user(ask.user, ask.milvus_name)
        if not before.wanted:
            raise cluster_deleting()
        stored, ours = await self._store(before, accepted, ask)
        change = _Change(
            ask,
            before,
            stored,
            accepted,
            started,
            ours=ours,
            unset=ours and _first(before, stored),
            operation_id=f"op-{uuid.uuid4().hex[:20]}",
        )
        applying = asyncio.create_task(self._apply(change))
        self._applying[applying] = change
        applying.add_done_callback(self._applying.pop)
        await asyncio.wait({applying}, timeout=self._patience)
        together = self._together(stored)
        if applying.done() or any(one.undoing for one in together):
            return await applying
        for one in together:
            one.acknowledged = True
        return await self._acknowledged(change, applying)

    def _together(self, stored: Cluster) -> list[_Change]:
        """Changes on their way that share this wish: the same list may be sent twice at once."""
        return [one for one in self._applying.values() if one.stored.wish == stored.wish]

    def _undoing(self, stored: Cluster) -> list[asyncio.Task[Answer]]:
        """Of those, whoever stored the wish and is taking it back."""
        return [
            task
            for task, one in self._applying.items()
            if one.undoing and one.ours and one.stored.wish == stored.wish
        ]

    async def _acknowledged(self, change: _Change, applying: asyncio.Task[Answer]) -> Answer:
        applying.add_done_callback(_ended_late)
        begun = self._done(change, change.stored, report.BEING_APPLIED, over=False)
        try:
            async with asyncio.timeout(RECORD_SECONDS):
                await self._records.record(begun)
        except (KiteError, TimeoutError):
            _log.warning("the begin of an operation could not be recorded; its end will be")
        return _under_way(change.stored, change.accepted, operation(begun))

    async def _apply(self, change: _Change) -> Answer:
        try:
            in_force = await self._follow(change.stored, unset=change.unset)
            in_force = await self._not_taken_back(change, in_force)
        except Exception as failed:
            if change.acknowledged:
                await self._not_yet(change, failed)
                raise
            if isinstance(failed, NotFound) or not isinstance(failed, KiteError):
                raise
            if isinstance(failed, Conflict):  # it was taken back: nothing is to be restored
                await self._record(change, change.stored, str(failed.description), failed.reason)
                raise
            change.undoing = change.ours
            told = await self._undo(change, failed)
            await self._record(change, change.stored, str(told.description), told.reason)
            raise told from failed
        # Whoever sent the same list at the same time may not take back what is answered now.
        for one in self._together(change.stored):
            one.acknowledged = one.acknowledged or one is not change
        return await self._answer(in_force, change)

    async def _not_taken_back(self, change: _Change, in_force: InForce) -> InForce:
        """As it is after the end of whoever stored this wish and is taking it back.

        Raises:
            Conflict: the list is not the wish any more.
        """
        if undoing := self._undoing(change.stored):
            change.undoing = True
            await asyncio.wait(undoing)
            now = await self._records.by_id(change.stored.cluster_id)
            in_force = await self._follow(now, unset=False)
        # Who merely joined cannot tell a list that was taken back from one that was replaced.
        joined = not (change.ours or change.acknowledged)
        if joined and in_force.cluster.entries != change.accepted.entries:
            raise refusal.changed(in_force.cluster.revision, change.stored.revision)
        return in_force

    async def _not_yet(self, change: _Change, failed: Exception) -> None:
        """The user was told that the list is stored: it stays, and the mending loop applies it."""
        known = failed if isinstance(failed, KiteError) else Internal(_DEFECT)
        if not isinstance(known, NotFound):
            now = self._clock.now_ms()
            await self._records.tell_waiting(change.stored.cluster_id, now, known)
        text = f"{known.description}. {refusal.APPLYING}"
        await self._record(change, change.stored, text, known.reason)

    async def _follow(self, stored: Cluster, *, unset: bool) -> InForce:
        """Trouble that passes is not told to the user: looked again, and asked for what is left."""
        for seconds in AGAIN_SECONDS:
            try:
                return await self._follower.follow(stored, unset=unset)
            except Unavailable:
                unset = False  # what was asked for may be there
                await self._pause(seconds)
        return await self._follower.follow(stored, unset=unset)

    async def settle(self) -> None:
        """Wait for changes whose callers were answered before they ended."""
        await self._looks.settle()
        await asyncio.gather(*self._applying, return_exceptions=True)

    async def _store(self, before: Cluster, accepted: Accepted, ask: Ask) -> tuple[Cluster, bool]:
        """The cluster with the wish, and whether it was stored by this very call."""
        if ask.expected_revision and ask.expected_revision != before.revision:
            raise refusal.changed(before.revision, ask.expected_revision)
        if accepted.entries == before.entries:
            return before, False
        try:
            if before.revision:
                return await self._records.wish(before, accepted.entries), True
            # Revision 0 means "any" to the registry: it cannot tell two first lists apart.
            async with self._first.of(before.cluster_id):
                now = await self._records.of_user(ask.user, ask.milvus_name)
                if now.revision:
                    raise refusal.changed(now.revision, 0)
                return await self._records.wish(before, accepted.entries), True
        except Conflict:
            # Somebody was faster; the same list twice at once is no conflict.
            now = await self._records.of_user(ask.user, ask.milvus_name)
            if ask.expected_revision or now.entries != accepted.entries:
                raise
            return now, False

    async def _undo(self, change: _Change, failed: KiteError) -> KiteError:
        """After a failure: the list before becomes the wish again, in force if possible."""
        after = refusal.APPLYING
        try:
            if change.ours:
                crash.point("before-undo")
                await self._records.wish(change.stored, change.before.entries, origin=SERVICE)
                after = refusal.RESTORING
                crash.point("after-undo")
                await self._follower.follow(change.stored)
                after = refusal.RESTORED
        except KiteError as again:
            _log.warning("the whitelist before could not be restored", reason=again.reason)
        return refusal.told(failed, after=after, true=await self._true(change.stored))

    async def _true(self, cluster: Cluster) -> str:
        """The rules in force, in words."""
        try:
            held = await self._follower.look(cluster) or ()
        except KiteError:
            return "unknown, EC2 does not tell"
        texts = [str(one.key) if one.key else one.text for one in held]
        more = f" and {len(texts) - _SHOWN_RULES} more" if len(texts) > _SHOWN_RULES else ""
        return (", ".join(texts[:_SHOWN_RULES]) or "nothing") + more

    async def _answer(self, in_force: InForce, change: _Change) -> Answer:
        applied = in_force.applied
        lines = self._lines(in_force.cluster, applied.rules)
        notices = [report.OPEN_CONNECTIONS]
        if change.accepted.public:
            notices.append(report.PUBLIC)
        if applied.revoked_first:
            notices.append(report.REVOKED_FIRST)
        if not in_force.group_id:
            notices.append(report.NOT_YET)
        elif any(line.state is not State.AUTHORIZED for line in lines):
            notices.append(report.BEING_APPLIED)
        _log.info(
            "whitelist set",
            cluster=in_force.cluster.cluster_id,
            revision=in_force.cluster.revision,
            granted=len(applied.granted),
            revoked=len(applied.revoked),
        )
        text = f"{len(applied.granted)} rules granted, {len(applied.revoked)} revoked"
        recorded = await self._record(change, in_force.cluster, text)
        return Answer(
            lines=lines,
            revision=in_force.cluster.revision,
            operation=recorded,
            granted=len(applied.granted),
            revoked=len(applied.revoked),
            notices=tuple(notices),
        )

    async def _record(
        self, change: _Change, cluster: Cluster, text: str, reason: str = ""
    ) -> operation_pb2.Operation:
        """Its end; empty when the registry does not take it, for nobody can follow it then."""
        done = self._done(change, cluster, text, reason)
        for seconds in (*(RECORD_AGAIN_SECONDS if change.acknowledged else ()), None):
            try:
                return await self._records.record(done)
            except KiteError as failed:
                # The change itself is over and its result is known: it is not called failed.
                _log.warning("an operation could not be recorded", reason=failed.reason)
                if seconds is not None:
                    await self._pause(seconds)
        return operation_pb2.Operation()

    def _done(
        self, change: _Change, cluster: Cluster, text: str, reason: str = "", *, over: bool = True
    ) -> Done:
        return Done(
            operation_id=change.operation_id,
            cluster=cluster,
            request_id=change.ask.request_id,
            started_at_ms=change.started,
            ended_at_ms=self._clock.now_ms() if over else 0,
            description=text,
            reason=reason,
        )


def _first(before: Cluster, stored: Cluster) -> bool:
    """Whether this is the first list ever: what was never set holds nothing."""
    born = before.revision <= 1 and not before.entries
    return born and bool(stored.entries) and stored.revision == before.revision + 1


def _ended_late(task: asyncio.Task[Answer]) -> None:
    """The caller was answered before: besides the recorded operation, this is all that tells."""
    if not task.cancelled() and isinstance(failed := task.exception(), KiteError):
        _log.warning("a change failed late", reason=failed.reason, description=failed.description)


def _under_way(stored: Cluster, accepted: Accepted, begun: operation_pb2.Operation) -> Answer:
    """The wish is stored; EC2 has not taken all of it yet."""
    notices = [report.OPEN_CONNECTIONS, *([report.PUBLIC] if accepted.public else [])]
    return Answer(
        lines=tuple(Line(entry, "", State.AUTHORIZING) for entry in stored.entries),
        revision=stored.revision,
        operation=begun,
        granted=0,
        revoked=0,
        notices=(*notices, report.BEING_APPLIED),
    )
