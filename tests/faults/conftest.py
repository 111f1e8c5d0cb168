"""Databases and servers that go away, stand still, or lose what they had to say."""

import os

import pymongo
import pytest

from registry_svc.mongodb import Mongo
from tests.faults.relay import Relay
from tests.store.servers import Server, ensure_program
from tests.store.world import World, serial


@pytest.fixture(scope="session")
def wire_server(tmp_path_factory):
    """The MongoDB-protocol server, with its fail points."""
    ensure_program()
    folder = tmp_path_factory.mktemp("faulty") / "data"
    server = Server(folder, "--enable-test-commands").start()
    yield server
    server.stop()


@pytest.fixture
def relay(wire_server):
    with Relay("127.0.0.1", wire_server.port) as relay:
        yield relay


def uri_by(relay, *, retry=False, timeout_ms=10_000):
    """Of the database behind the relay; polling, because a fail point changes no topology.

    Who means to wait for an answer that does not come wants a shorter time than a busy machine.
    """
    return (
        f"mongodb://127.0.0.1:{relay.port}/?directConnection=true&serverMonitoringMode=poll"
        f"&heartbeatFrequencyMS=500&retryWrites={str(retry).lower()}"
        f"&retryReads={str(retry).lower()}&timeoutMS={timeout_ms}"
    )


class FailPoint:
    """`failCommand` of the server: what it answers the next commands."""

    def __init__(self, server):
        self._client = pymongo.MongoClient(server.uri)

    def arm(self, *commands, times=1, **data):
        mode = {"times": times} if times else "alwaysOn"
        self._set(mode=mode, data={"failCommands": list(commands), **data})

    def disarm(self):
        self._set(mode="off")

    def _set(self, **how):
        self._client.admin.command({"configureFailPoint": "failCommand", **how})

    def close(self):
        self.disarm()
        self._client.close()


@pytest.fixture
def failing(wire_server):
    point = FailPoint(wire_server)
    yield point
    point.close()


@pytest.fixture
def database(wire_server):
    """A name of its own, dropped afterwards."""
    name = f"kite-faults-{os.getpid()}-{next(serial)}"
    yield name
    with pymongo.MongoClient(wire_server.uri) as client:
        client.drop_database(name)


@pytest.fixture(params=[False, True], ids=["driver-tries-once", "driver-tries-again"])
def world(request, relay, database):
    """A registry's store behind the relay."""
    engine = Mongo(uri_by(relay, retry=request.param), database, prove=False)
    yield World(engine)
    engine.close()


@pytest.fixture
def strict_world(relay, database):
    """As `world`, over a driver that tries once."""
    engine = Mongo(uri_by(relay), database, prove=False)
    yield World(engine)
    engine.close()


@pytest.fixture
def patient_world(relay, database):
    """As `world`, over a driver that tries again."""
    engine = Mongo(uri_by(relay, retry=True), database, prove=False)
    yield World(engine)
    engine.close()
