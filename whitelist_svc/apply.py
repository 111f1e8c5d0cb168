"""Bring the rules of one group to what they shall be: grant, then revoke, then look again.

Every act may be repeated: a rule that is there already counts as granted, one that is gone counts
as revoked. At most two writing calls when nobody interferes, none when the group is right.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import TypeVar

from kite import refusals
from kite.clock import Clock
from kite.errors import KiteError, Unavailable
from whitelist_svc.change import Applied, Change, Held, Key, change
from whitelist_svc.ec2 import Ec2, code_of

T = TypeVar("T")
Pause = Callable[[float], Awaitable[None]]

NEW_GROUP_SECONDS = 60.0  # how long a group just made may be unknown to other calls
STALE_LOOKS, STALE_SECONDS = 4, 0.25


class Hands:
    """Changes rules of groups through `ec2`; `limit` is rules per group and family."""

    def __init__(self, ec2: Ec2, clock: Clock, pause: Pause, *, limit: int) -> None:
        self._ec2 = ec2
        self._clock = clock
        self._pause = pause
        self._limit = limit

    def plan(self, want: Collection[Key], have: Collection[Held], *, keep_strange: bool) -> Change:
        return change(want=want, have=have, limit=self._limit, keep_strange=keep_strange)

    async def bring(
        self,
        group_id: str,
        want: Mapping[Key, str],
        have: tuple[Held, ...],
        *,
        keep_strange: bool = False,
        fresh: bool = False,
    ) -> Applied:
        """Make the group hold exactly `want`.

        Args:
            group_id: sg-...
            want: rules with their descriptions.
            have: the latest look at the group.
            keep_strange: leave rules alone that Kite did not make.
            fresh: the group was made just now and may not be known everywhere yet.

        Raises:
            KiteError: EC2 refused or did not answer; the group may hold old and new rules.
        """
        plan = self.plan(want, have, keep_strange=keep_strange)
        if not plan:
            return Applied(have)
        descriptions = {key: want[key] for key in plan.grant}
        if plan.revoke_first:
            await self._revoke(group_id, plan.revoke)
            await self._grant(group_id, descriptions, fresh=fresh)
        else:
            await self._grant(group_id, descriptions, fresh=fresh)
            await self._revoke(group_id, plan.revoke)
        rules = await self._look_again(group_id, want, keep_strange=keep_strange)
        return Applied(rules, plan.grant, plan.revoke, plan.revoke_first)

    async def first(self, group_id: str, want: Mapping[Key, str]) -> Applied | None:
        """Open the first rules of a group that nobody has set before, without a look.

        EC2's answer tells what is in force. None when it does not (no answer, or the group was
        not empty after all): the usual way finds out.
        """
        if not want:  # unwanted meanwhile
            return None
        try:
            made = await self._ec2.grant(group_id, want)
        except KiteError:
            return None
        told = {one.key for one in made} == want.keys()
        return Applied(made, tuple(want)) if told else None

    async def _grant(self, group_id: str, rules: Mapping[Key, str], *, fresh: bool) -> None:
        if not rules:
            return
        try:
            if fresh:
                await self.patiently(lambda: self._ec2.grant(group_id, rules))
            else:
                await self._ec2.grant(group_id, rules)
        except Unavailable:
            # No answer is not "no": the call may have been carried out.
            if rules.keys() - {one.key for one in await self._ec2.held(group_id)}:
                raise
        except KiteError as refused:
            if not refusals.duplicate(code_of(refused)):
                raise
            # One rule was there already, so the batch was refused whole.
            await self._grant_missing(group_id, rules)

    async def _grant_missing(self, group_id: str, rules: Mapping[Key, str]) -> None:
        there = {one.key for one in await self._ec2.held(group_id)}
        for key in rules.keys() - there:
            try:
                await self._ec2.grant(group_id, {key: rules[key]})
            except KiteError as refused:
                if not refusals.duplicate(code_of(refused)):
                    raise

    async def _revoke(self, group_id: str, rules: Collection[Held]) -> None:
        if not rules:
            return
        rule_ids = {one.rule_id for one in rules}
        try:
            await self._ec2.revoke(group_id, sorted(rule_ids))
        except Unavailable:
            # No answer is not "no": the call may have been carried out.
            if rule_ids & {one.rule_id for one in await self._ec2.held(group_id)}:
                raise
        except KiteError as refused:
            if not refusals.gone(code_of(refused)):
                raise
            # One rule was gone already, so the batch was refused whole.
            await self._revoke_left(group_id, rule_ids)

    async def _revoke_left(self, group_id: str, rule_ids: set[str]) -> None:
        for one in await self._ec2.held(group_id):
            if one.rule_id not in rule_ids:
                continue
            try:
                await self._ec2.revoke(group_id, [one.rule_id])
            except KiteError as refused:
                if not refusals.gone(code_of(refused)):
                    raise

    async def _look_again(
        self, group_id: str, want: Mapping[Key, str], *, keep_strange: bool
    ) -> tuple[Held, ...]:
        """The rules in force; EC2 may show a change late, so a few looks are taken."""
        rules = await self._ec2.held(group_id)
        for _ in range(STALE_LOOKS - 1):
            if not self.plan(want, rules, keep_strange=keep_strange):
                break
            await self._pause(STALE_SECONDS)
            rules = await self._ec2.held(group_id)
        return rules

    async def patiently(self, act: Callable[[], Awaitable[T]]) -> T:
        """Repeat while EC2 does not know a group it has just made, for a minute at most."""
        until = self._clock.monotonic() + NEW_GROUP_SECONDS
        wait = STALE_SECONDS
        while True:
            try:
                return await act()
            except KiteError as refused:
                unknown = code_of(refused) == "InvalidGroup.NotFound"
                if not unknown or self._clock.monotonic() + wait > until:
                    raise
            await self._pause(wait)
            wait = min(wait * 2, 5.0)
