"""Every engine the registry can stand on; a test that takes `world` runs on all of them."""

import os

import pytest

from registry_svc.embedded import Embedded
from tests.store.servers import Server, ensure_program
from tests.store.world import World, on_mongodb

SHARED = [pytest.param("wire", marks=pytest.mark.wire)]
if "KITE_TEST_MONGODB_URI" in os.environ:
    SHARED.append(pytest.param("uri"))
ENGINES = [pytest.param("embedded"), *SHARED]


@pytest.fixture(scope="session")
def wire_server(tmp_path_factory):
    ensure_program()
    server = Server(tmp_path_factory.mktemp("wire") / "data").start()
    yield server
    server.stop()


@pytest.fixture(params=ENGINES)
def engine(request, tmp_path):
    """A fresh, empty engine."""
    if request.param == "embedded":
        engine = Embedded(tmp_path / "registry")
        yield engine
        engine.close()
        return
    uri = (
        request.getfixturevalue("wire_server").uri
        if request.param == "wire"
        else os.environ["KITE_TEST_MONGODB_URI"]
    )
    with on_mongodb(uri) as engine:
        yield engine


@pytest.fixture
def world(engine):
    return World(engine)
