"""A local cloud, an engine beside it, and the compose file in it; skipped with the reason."""

from pathlib import Path

import pytest

from localcloud import leftovers, root
from localcloud.ground import Ground
from tests.compose import engine, images, plugin
from tests.compose.world import Compose
from tests.localcloud.world import command, raise_world

HERE = Path(__file__).parent
GROUND = Ground("kd", 83)


def pytest_collection_modifyitems(items):
    reason = engine.lacking()
    for item in items:
        if HERE in Path(item.path).parents:
            item.add_marker(pytest.mark.docker)
            if reason:
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    """A local cloud of this test's own; its end must leave nothing."""
    with raise_world(GROUND, tmp_path_factory.mktemp("cloud")) as world:
        yield world
    left = leftovers.find(GROUND)
    assert not left, left.lines()


@pytest.fixture(scope="module")
def running_engine(cloud):
    """dockerd in a client's namespace on the local cloud's switch."""
    cache = root.cache()
    try:
        plugin.ensure(cache)
    except plugin.NoPlugin as reason:
        pytest.skip(str(reason))
    added = command(GROUND, "client", "add", "engine", "--address", str(GROUND.vpc[65290]))
    assert added.returncode == 0, added.stderr
    namespace = GROUND.client_namespace("engine")
    made = engine.Engine(namespace, cache)
    try:
        images.load(made, images.base(cache))
        yield made, namespace
    finally:
        made.stop()
        command(GROUND, "client", "remove", "engine")
    assert engine.leftovers() == []


@pytest.fixture(scope="module")
def compose(cloud, running_engine):
    """The compose file, its images built; taken down with everything it made."""
    made, namespace = running_engine
    cache = root.cache()
    places = images.lay(*images.wheels(cache, images.python_of(images.base(cache))))
    found = Compose(made, namespace, cloud, str(GROUND.vpc[65290]))
    try:
        found("build", "mongo", "registry")
        yield found
    finally:
        found("down", "--volumes", "--timeout", "20")
        images.remove(places)
