"""kill -9 at any moment: no write that was acknowledged is lost."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
import time

import pytest

from kite.errors import Unavailable
from registry_svc.embedded import Embedded
from registry_svc.mongodb import Mongo
from tests.store.servers import ROOT, Server, ensure_program
from tests.store.world import World
from tests.store.writer import write_for_ever

EMBEDDED_ROUNDS, WIRE_ROUNDS = 20, 4


def note(acknowledged, cluster_id, write):
    acknowledged[cluster_id] = max(int(write), acknowledged.get(cluster_id, 0))


def lost(world, acknowledged):
    """Acknowledged writes that are not there, and stories that are not whole."""
    missing = []
    for cluster_id, write in acknowledged.items():
        record = world.store.by_id(cluster_id)
        if record is None or record.writes < write:
            missing.append((cluster_id, write))
            continue
        if not record.told:
            world.store.deliver(record)
        told = world.store.events(cluster_id, after=0, size=9)
        if [e.number for e in told] != list(range(1, record.last_event + 1)):
            missing.append((cluster_id, "events"))
        if world.store.operation(record.cluster.operation_id) is None:
            missing.append((cluster_id, "operation"))
    return missing


@pytest.fixture
def writers(tmp_path):
    """Asked with a line, starts a process that writes to the folder."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.store.writer", str(tmp_path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        yield parent
        parent.stdin.close()


def one_life(writers, seconds, acknowledged):
    """A process that writes is killed so many seconds after its first write."""
    writers.stdin.write("next\n")
    writers.stdin.flush()
    child, killer = 0, None
    while (words := writers.stdout.readline().split()) != ["end"]:
        if words[0] == "child":
            child = int(words[1])
            continue
        note(acknowledged, *words)
        if child and not killer:
            killer = threading.Timer(seconds, os.kill, (child, signal.SIGKILL))
            killer.start()
    killer.join()


def test_the_embedded_store_keeps_every_acknowledged_write(tmp_path, writers):
    acknowledged = {}
    luck = random.Random(7)
    for number in range(EMBEDDED_ROUNDS):
        one_life(writers, luck.uniform(0.02, 0.4), acknowledged)
        engine = Embedded(tmp_path)
        assert lost(World(engine), acknowledged) == []
        engine.close()
        assert len(acknowledged) > number
    assert len(acknowledged) > 2 * EMBEDDED_ROUNDS


@pytest.fixture
def server(tmp_path):
    ensure_program()
    server = Server(tmp_path / "data")
    yield server
    server.stop()


@pytest.mark.wire
def test_a_killed_server_keeps_every_acknowledged_write(server):
    acknowledged = {}
    luck = random.Random(11)
    for _ in range(WIRE_ROUNDS):
        server.start()
        engine = Mongo(server.uri, "kite", prove=False)
        world = World(engine, quota=1_000_000)
        assert lost(world, acknowledged) == []
        threads = [
            threading.Thread(target=until_it_fails, args=(world, n, acknowledged)) for n in range(4)
        ]
        for thread in threads:
            thread.start()
        time.sleep(luck.uniform(0.1, 0.6))
        server.kill()
        for thread in threads:
            thread.join()
        engine.close()
    server.start()
    engine = Mongo(server.uri, "kite", prove=False)
    assert lost(World(engine), acknowledged) == []
    engine.close()
    assert sum(acknowledged.values()) > 2 * WIRE_ROUNDS  # writes: the same names in every round


def until_it_fails(world, worker, acknowledged):
    def acknowledge(record):
        note(acknowledged, record.cluster.cluster_id, record.writes)

    with contextlib.suppress(Unavailable):
        write_for_ever(world, worker, acknowledge)
