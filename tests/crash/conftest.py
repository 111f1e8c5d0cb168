"""Four real services on a strict EC2 of their own; shared while each test leaves it empty."""

from contextlib import ExitStack
from dataclasses import dataclass, field

import pytest

from tests.chaos import cloud
from tests.chaos.portal import Portal
from tests.chaos.run import database
from tests.chaos.troupe import Troupe, hostless_settings
from tests.crash.story import PLANS, Story, World

TIMEOUT = pytest.mark.timeout(120)


def pytest_collection_modifyitems(items):
    for item in items:
        if "/tests/crash/" in str(item.path) and item.get_closest_marker("timeout") is None:
            item.add_marker(TIMEOUT)


@dataclass
class Stage:
    """Keeps one world up; a world that was not left empty is taken down."""

    factory: pytest.TempPathFactory
    wire: bool = False
    """The registry stands on a database of its own, not on the embedded store."""
    stack: ExitStack = field(default_factory=ExitStack)
    world: World | None = None

    def get(self):
        if self.world is None:
            folder = self.factory.mktemp("crash")
            running = self.stack.enter_context(cloud.running(folder))
            settings = hostless_settings(running.ready, folder)
            # Longer than anybody here waits: nothing goes on because a lease ran out.
            settings["KITE_PROVISIONER_LEASE_SECONDS"] = "300"
            (folder / "plans.yaml").write_text(PLANS)
            settings["KITE_REGISTRY_PLANS_FILE"] = str(folder / "plans.yaml")
            uri = self.stack.enter_context(database(folder)).uri if self.wire else ""
            troupe = Troupe(
                folder / "run",
                settings,
                mongodb=uri,
                instead={"registry": "tests.crash.workers"},
            )
            self.stack.callback(troupe.stop)
            troupe.start_all()
            portal = Portal(troupe.url)
            self.stack.callback(portal.close)
            self.world = World(running, troupe, portal)
        return self.world

    def look(self):
        """Whether the world may be used again."""
        try:
            empty = self.world.left() == [] and self.world.portal.clusters() == []
        except Exception:  # noqa: BLE001 - whatever it is, this world is not used again
            empty = False
        if not empty:
            self.down()

    def down(self):
        self.stack.close()
        self.world = None


@pytest.fixture(scope="package")
def stage(tmp_path_factory):
    stage = Stage(tmp_path_factory)
    yield stage
    stage.down()


@pytest.fixture
def world(stage):
    world = stage.get()
    world.deaths.clear()
    world.portal.strange.clear()
    with world.supervised():
        yield world
        for name in world.troupe.names:
            world.troupe.disarm(name)
        world.troupe.await_serving(*world.troupe.names, supervised=True)
    stage.look()


@pytest.fixture(scope="package")
def undisturbed(stage):
    """What a story ends with when nothing happens."""
    story = Story(stage.get())
    story.tell()
    return story.shape
