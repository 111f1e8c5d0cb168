"""Eventual consistency by the clock: what was just made is not seen at once."""

from __future__ import annotations

from localcloud.strict.call import Call, Reply
from localcloud.strict.cloud import Cloud
from localcloud.strict.hiding import MAKING, fresh_ids
from localcloud.strict.rule import Rule

_CONSISTENCY = "https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html"


def made(call: Call, reply: Reply, cloud: Cloud) -> tuple[str, ...]:
    """Every id a call has made; a launch makes volumes and interfaces too."""
    fresh = fresh_ids(call, reply)
    return fresh + tuple(part for one in fresh for part in cloud.parts_of(call, one))


class VisibilityDelay(Rule):
    """A fresh id is NotFound, or missing from lists, for the knob `visible_after_seconds`.

    With the knob `visible_empty` asking for it by id gives an empty list instead. A repeated
    launch finds what its token made all the same.
    """

    name = "visibility-delay"
    document = _CONSISTENCY
    actions = MAKING

    def after(self, call: Call, reply: Reply, cloud: Cloud) -> Reply:
        seconds = cloud.knobs.visible_after_seconds
        if seconds > 0:
            until = cloud.clock() + seconds
            cloud.hidden.hide_until(
                made(call, reply, cloud), until, empty=cloud.knobs.visible_empty
            )
        return reply


class TagLag(Rule):
    """Lookups by tag miss what was made within the knob `tags_after_seconds`; others do not."""

    name = "tag-lag"
    document = _CONSISTENCY
    actions = MAKING

    def after(self, call: Call, reply: Reply, cloud: Cloud) -> Reply:
        seconds = cloud.knobs.tags_after_seconds
        if seconds > 0:
            cloud.hidden.untag_until(made(call, reply, cloud), cloud.clock() + seconds)
        return reply
