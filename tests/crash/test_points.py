"""Every named place between two effects: who dies there is started again, and the story goes on.

The table says in which step of the story each place is reached; a place that is in kite/crash.py
and not here, or here and not reached, is a red test. Names that are made at run time are spelled
out (names.py); one that has no story of its own stands in SAME_AS.
"""

import re

import pytest

from kite.crash import POINTS
from kite.sweep import Kind
from tests.crash import test_renewals_killed, test_sweeps_killed, test_undoing_killed
from tests.crash.names import (
    FOLDERS,
    NEVER_CALLED,
    PREFIXES,
    PROTOS,
    ROOT,
    SWEPT,
    expanded,
    places,
    writing_actions,
    writing_methods,
)
from tests.crash.story import Story

CREATE, WHITELIST, DELETE = "create", "whitelist", "delete"
EVERY = (CREATE, WHITELIST, DELETE)
STEPS = {
    "registry": {
        "before-journal": (CREATE,),
        "in-journal": (WHITELIST, DELETE),
        "after-journal": EVERY,
        "after-record": (CREATE, DELETE),
        "after-lease": (CREATE, DELETE),
        "before-reply-CreateCluster": (CREATE,),
        "before-reply-Claim": (CREATE,),
        "before-reply-Commit": (CREATE, DELETE),
        "before-reply-SetWhitelist": (WHITELIST,),
        "before-reply-RecordOperation": (WHITELIST,),
        "before-reply-DeleteCluster": (DELETE,),
    },
    "provisioner": {
        "after-claim": (CREATE,),
        "after-see": (CREATE, DELETE),
        "before-reserve": (CREATE,),
        "after-reserve": (CREATE, DELETE),
        "before-AllocateAddress": (CREATE,),
        "after-AllocateAddress": (CREATE,),
        "after-answer-EnsureGroups": (CREATE,),
        "before-RunInstances": (CREATE,),
        "after-RunInstances": (CREATE,),
        "after-act": (CREATE, DELETE),
        "after-commit": (CREATE, DELETE),
        "before-AssociateAddress": (CREATE,),
        "after-AssociateAddress": (CREATE,),
        "before-install": (CREATE,),
        "after-install": (CREATE,),
        "after-secure": (CREATE,),
        "before-settle": (CREATE,),
        "after-settle": (CREATE,),
        "after-answer-CloseGroups": (DELETE,),
        "before-TerminateInstances": (DELETE,),
        "after-TerminateInstances": (DELETE,),
        "before-DeleteVolume": (DELETE,),
        "after-DeleteVolume": (DELETE,),
        "before-ReleaseAddress": (DELETE,),
        "after-ReleaseAddress": (DELETE,),
        "after-answer-DropGroups": (DELETE,),
        "before-gone": (DELETE,),
        "after-gone": (DELETE,),
    },
    "whitelist": {
        "after-CreateSecurityGroup": (CREATE,),
        "after-AuthorizeSecurityGroupIngress": (CREATE, WHITELIST),
        "before-reply-EnsureGroups": (CREATE,),
        "after-answer-SetWhitelist": (WHITELIST,),
        "after-RevokeSecurityGroupIngress": (WHITELIST, DELETE),
        "after-answer-RecordOperation": (WHITELIST,),
        "before-reply-SetRules": (WHITELIST,),
        "before-reply-CloseGroups": (DELETE,),
        "after-DeleteSecurityGroup": (DELETE,),
        "before-reply-DropGroups": (DELETE,),
    },
    "bff": {
        "after-answer-CheckRules": (CREATE,),
        "after-answer-CreateCluster": (CREATE,),
        "after-answer-SetRules": (WHITELIST,),
        "after-answer-DeleteCluster": (DELETE,),
    },
}
CASES = [
    pytest.param(service, point, step, id=f"{service}-{point}-in-{step}")
    for service, points in STEPS.items()
    for point, steps in points.items()
    for step in steps
]


@pytest.mark.parametrize(("service", "point", "step"), CASES)
def test_a_death_between_two_effects_changes_nothing(world, undisturbed, service, point, step):
    name = f"{service}-1"

    def before(coming):
        if coming != step:
            return
        if point.endswith("-DeleteVolume"):
            world.plant_volume(world.portal.read(story.name)["cluster-id"])
        world.troupe.arm(name, point)

    story = Story(world, before)
    story.tell()
    assert world.troupe.sprung(name), f"{point} was never reached"
    world.troupe.await_serving(name, supervised=True)
    assert world.deaths == [name]
    assert story.shape == undisturbed


ELSEWHERE = (test_sweeps_killed.POINTS, test_undoing_killed.POINTS, test_renewals_killed.POINTS)
"""Places that a story without trouble does not come to."""


def test_every_named_place_has_its_story():
    told = {service: set(points) for service, points in STEPS.items()}
    for others in ELSEWHERE:
        for service, points in others.items():
            assert told[service].isdisjoint(points)
            told[service] |= set(points)
    assert told == {service: set(points) for service, points in POINTS.items()}


def test_what_is_swept_is_every_kind():
    assert sorted(kind for kinds in SWEPT.values() for kind in kinds) == sorted(Kind)


TOLD = "a line of the story is all that is written; it is told after the effect it tells of"
SAME_AS = {
    "registry": {
        "before-reply-ClaimDuty": ("after-journal", "nothing lies between but the answer"),
        "before-reply-AppendEvents": ("after-journal", "nothing lies between but the answer"),
        "before-reply-AdoptClusters": (
            "after-journal",
            "a cluster is one write, asked twice is once (cloud/provisioner/test_adoption.py)",
        ),
    },
    "provisioner": {
        "after-answer-Claim": ("after-claim", "the answer is unpacked in between, no more"),
        "after-answer-Commit": (
            "after-commit",
            "the answer is unpacked in between, no more; so after-reserve, -settle and -gone",
        ),
        "after-answer-ClaimDuty": ("after-claim", "a lease is held, nothing is done under it yet"),
        "after-answer-AppendEvents": ("after-ReleaseAddress", f"of a sweep: {TOLD}"),
        "before-reply-Nudge": ("after-claim", "nothing is written: the loop claims sooner"),
        "before-reply-Sweep": (
            "after-ReleaseAddress",
            "after the last effect of a sweep; the next one looks at EC2 anew",
        ),
    },
    "whitelist": {
        "after-answer-ClaimDuty": (
            "after-answer-SetWhitelist",
            "mending starts from the stored wish, as it does after that death",
        ),
        "after-answer-AppendEvents": ("after-answer-RecordOperation", TOLD),
        "before-reply-Sweep": (
            "after-DeleteSecurityGroup",
            "after the last effect of a sweep; the next one looks at EC2 anew",
        ),
    },
    "bff": {},
}
"""Places without a story of their own: where a death is the same, and why."""


def test_every_place_in_the_code_has_a_name_in_the_list():
    """Names written out; those put together at run time are the next test's."""
    fixed, beginnings = set(), {}
    for folder in ("kite", *FOLDERS.values()):
        for file in (ROOT / folder).rglob("*.py"):
            words = set(places(file))
            fixed |= {word for word in words if not word.endswith("-")}
            if begun := {word for word in words if word.endswith("-")}:
                beginnings[str(file.relative_to(ROOT))] = begun
    assert fixed <= {point for points in POINTS.values() for point in points}
    assert len(fixed) > 10
    assert beginnings == PREFIXES


@pytest.mark.parametrize("service", POINTS)
def test_every_name_made_at_run_time_has_its_story_or_that_of_another(service):
    own, same = set(POINTS[service]), SAME_AS[service]
    names = expanded()[service]
    assert names == (names & own) | set(same)
    assert own.isdisjoint(same)
    assert {place for place, _ in same.values()} <= own


def test_every_permission_to_write_is_a_place():
    spelled = set().union(*expanded().values())
    for action in writing_actions() - NEVER_CALLED:
        assert f"after-{action}" in spelled


SIDE = re.compile(r"(before|after|in)-")
WORDS = re.compile(r"([a-z]+-)*[a-z]+")


def test_every_name_has_one_style():
    """A side and a thing: names of EC2 and gRPC as these spell them, or small words."""
    services = [one for proto in PROTOS for one in proto.DESCRIPTOR.services_by_name.values()]
    known = writing_actions() | {method.name for one in services for method in one.methods}
    for point in set().union(*POINTS.values()):
        assert SIDE.match(point), point
        thing = re.sub("^(answer|reply)-", "", SIDE.sub("", point, count=1))
        assert thing in known or WORDS.fullmatch(thing), point


def test_every_method_that_writes_is_a_place():
    spelled = set().union(*expanded().values())
    for method in set().union(*writing_methods().values()):
        assert f"before-reply-{method}" in spelled
