"""The registry on a database dies between its writes, which no transaction binds together there.

A record, and the operation and the lines of the story that belong to it, are one write of the
embedded store and several of MongoDB's. Only places within that gap are here: on all others the
two stores are alike, and test_points.py goes through them.
"""

import pytest

from tests.crash.conftest import Stage
from tests.crash.story import Story, until

pytestmark = pytest.mark.wire
REGISTRY = "registry-1"
CREATE, WHITELIST, DELETE = "create", "whitelist", "delete"
LINES = {"ClusterCreated", "WhitelistChanged"}
"""What the registry itself tells, each beside a record."""
OPERATIONS = {
    ("create-cluster", "succeeded"),
    ("set-whitelist", "succeeded"),
    ("delete-cluster", "succeeded"),
}


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    """As that of all stories, on a database of its own."""
    stage = Stage(tmp_path_factory, wire=True)
    yield stage
    stage.down()


@pytest.fixture(scope="module")
def undisturbed(stage):
    story = Story(stage.get())
    story.tell()
    return story.shape


def listed(story, what):
    answer = story.world.portal.ask("GET", f"/v1/{what}").raise_for_status()
    return answer.json()[what.partition("?")[0].rpartition("/")[2]]


def lines(story):
    return {one["type"] for one in listed(story, f"clusters/{story.name}/events")}


def operations(story):
    found = listed(story, f"operations?milvus-name={story.name}")
    return {(one["type"], one["status"]) for one in found}


@pytest.mark.parametrize(
    ("point", "step"),
    [
        ("after-record", CREATE),
        ("after-record", WHITELIST),
        ("after-record", DELETE),
        ("after-lease", CREATE),
        ("after-lease", DELETE),
    ],
)
def test_a_death_between_two_writes_changes_nothing(world, undisturbed, point, step):
    def before(coming):
        if coming == DELETE:
            until(lambda: lines(story) >= LINES, f"{LINES} being told")
        if coming == step:
            world.troupe.arm(REGISTRY, point)

    story = Story(world, before)
    story.tell()
    assert world.troupe.sprung(REGISTRY), f"{point} was never reached"
    world.troupe.await_serving(REGISTRY, supervised=True)
    assert world.deaths == [REGISTRY]
    assert story.shape == undisturbed
    assert operations(story) == OPERATIONS
