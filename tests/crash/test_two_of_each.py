"""Two provisioners and two registries on one database share fifty clusters, and die.

Among them one provisioner, one registry and the database itself are killed with SIGKILL; each is
started again as a supervisor would. Every cluster ends running exactly once, then nothing is left.
"""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing

import pytest

from tests.chaos import cloud
from tests.chaos.portal import Portal, ranges
from tests.chaos.troupe import Troupe, hostless_settings
from tests.crash.story import World, until
from tests.store.servers import Server, ensure_program

CLUSTERS, USERS = 50, 5
SOURCE = "192.0.2.7/32"
pytestmark = [pytest.mark.wire, pytest.mark.timeout(280)]


@pytest.fixture
def crowd(tmp_path):
    """Two of each on a MongoDB-protocol server, supervised."""
    ensure_program()
    with ExitStack() as stack:
        running = stack.enter_context(cloud.running(tmp_path))
        database = Server(tmp_path / "mongo").start()
        stack.callback(database.stop)
        settings = hostless_settings(running.ready, tmp_path)
        settings |= {"KITE_PROVISIONER_POLL_SECONDS": "0.2"}
        troupe = Troupe(
            tmp_path / "run", settings, registries=2, provisioners=2, mongodb=database.uri
        )
        stack.callback(troupe.stop)
        troupe.start_all()
        portals = [
            stack.enter_context(closing(Portal(troupe.url, f"user-{n}"))) for n in range(USERS)
        ]
        world = World(running, troupe, portals[0])
        with world.supervised():
            yield world, portals, database


def each(portals, what):
    """Every user does it to ten clusters of theirs, all users at once."""
    with ThreadPoolExecutor(USERS) as pool:
        done = [
            pool.submit(lambda p=p: [what(p, f"cats-{n}") for n in range(CLUSTERS // USERS)])
            for p in portals
        ]
        return [answer for one in done for answer in one.result()]


def states(portals):
    return [c["status"] for portal in portals for c in portal.clusters()]


def until_running(portals, count):
    """That many clusters are running; asked seldom, the answers are long."""
    until(
        lambda: states(portals).count("running") >= count,
        f"{count} clusters running",
        seconds=150,
        pause=0.3,
    )


def test_fifty_clusters_live_and_end_once(crowd):
    world, portals, database = crowd
    troupe = world.troupe
    # A watch at one registry hears of what was written at the other.
    body = {"milvus-name": "cats-0", "milvus-type": "M5", "disk-size": 10}
    body["ip-ranges"] = ranges([SOURCE])
    held = [p.ask("POST", "/v1/milvus?wait=60", body).status_code for p in portals[:2]]
    assert held == [201, 201]
    with ThreadPoolExecutor(1) as beside:
        creates = beside.submit(each, portals, lambda p, name: p.create(name, [SOURCE]))
        until_running(portals, 5)
        troupe.kill("registry-1")
        until_running(portals, 12)
        database.kill()
        troupe.kill("provisioner-2")
        database.start()
        assert {answer.status_code for answer in creates.result()} <= {200, 202}

    until_running(portals, CLUSTERS)
    made = [i for r in world.cloud.ec2.describe_instances()["Reservations"] for i in r["Instances"]]
    assert len(made) == CLUSTERS
    told = {
        one["instance-id"]
        for portal in portals
        for cluster in portal.clusters()
        for one in portal.read(cluster["milvus-name"])["instances"]
    }
    assert told == {one["InstanceId"] for one in made}

    with ThreadPoolExecutor(1) as beside:
        deletes = beside.submit(each, portals, lambda p, name: p.delete(name))
        troupe.kill("registry-2")
        troupe.kill("provisioner-1")
        assert {answer.status_code for answer in deletes.result()} <= {200, 202, 404}
    until(lambda: states(portals) == [], "all deleted", seconds=150, pause=0.3)
    assert world.left() == []
    # A registry that starts while the database is down says so and ends; then it starts again.
    assert set(world.deaths) == {f"{s}-{n}" for s in ("provisioner", "registry") for n in (1, 2)}
    assert {name for name in world.deaths if world.deaths.count(name) > 1} <= {"registry-1"}
    assert [portal.strange for portal in portals] == [[]] * USERS
