"""Every named place between two effects: who dies there is started again, and the story goes on.

The table says in which step of the story each place is reached; a place that is in kite/crash.py
and not here, or here and not reached, is a red test.
"""

import ast
from pathlib import Path

import pytest

from kite.crash import POINTS
from tests.crash.story import Story

CREATE, WHITELIST, DELETE = "create", "whitelist", "delete"
EVERY = (CREATE, WHITELIST, DELETE)
STEPS = {
    "registry": {
        "before-journal": (CREATE,),
        "in-journal": (WHITELIST, DELETE),
        "after-journal": EVERY,
        "after-record": (CREATE, DELETE),
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
        "after-create_security_group": (CREATE,),
        "after-authorize_security_group_ingress": (CREATE, WHITELIST),
        "before-reply-EnsureGroups": (CREATE,),
        "after-answer-SetWhitelist": (WHITELIST,),
        "after-revoke_security_group_ingress": (WHITELIST, DELETE),
        "after-answer-RecordOperation": (WHITELIST,),
        "before-reply-SetRules": (WHITELIST,),
        "before-reply-CloseGroups": (DELETE,),
        "after-delete_security_group": (DELETE,),
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
ROOT = Path(__file__).parents[2]


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


def test_every_named_place_has_its_story():
    assert {service: tuple(points) for service, points in STEPS.items()} == dict(POINTS)


def test_every_place_in_the_code_has_a_name_in_the_list():
    """Names put together at run time (calls of EC2 and gRPC) are listed where they matter."""
    fixed = set()
    for file in ROOT.glob("*/**/*.py"):
        if file.relative_to(ROOT).parts[0] in {"kite", "bff", "registry_svc", "provisioner"}:
            fixed |= {name for name in places(file) if not name.endswith("-")}
    assert fixed <= {point for points in POINTS.values() for point in points}
    assert len(fixed) > 10


def places(file):
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "crash.point":
            for value in ast.walk(node.args[0]):
                if isinstance(value, ast.Constant) and isinstance(value.value, str):
                    yield value.value
