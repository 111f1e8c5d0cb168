"""One cloud per machine; whatever ends it, nothing stays."""

from __future__ import annotations

import pytest

from localcloud import clients, leftovers
from localcloud.ground import Ground
from tests.localcloud.world import command, raise_world

GROUND = Ground("kx", 185)


def test_a_second_cloud_says_that_there_is_one(cloud, tmp_path):
    done = command(cloud.ground, "serve", "--state", str(tmp_path), "--port=0")

    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert f"process {cloud.process.pid}" in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_killed_cloud_is_cleaned_away(tmp_path):
    with pytest.raises(AssertionError), raise_world(GROUND, tmp_path) as world:
        world.client("a", "200")
        world.wait(world.launch(data=(1,)))
        world.process.kill()
        world.process.wait()
    found = leftovers.find(GROUND)
    assert all((found.namespaces, found.mounts, found.loops, found.processes, found.resolvers))
    assert command(GROUND, "audit").returncode == 1

    for _ in range(2):
        done = command(GROUND, "clean")
        assert (done.returncode, done.stderr) == (0, "")

    assert not leftovers.find(GROUND)
    assert command(GROUND, "audit").returncode == 0
    assert not list((tmp_path / "state").iterdir())


def test_commands_for_a_cloud_that_is_not_there_say_so():
    for words in (
        ("status",),
        ("fault", "clear"),
        ("client", "add", "a", "--address=198.18.185.200"),
    ):
        done = command(GROUND, *words)
        assert done.returncode == 1
        assert "No local cloud runs" in done.stderr
    assert "No local cloud runs" in command(GROUND, "stop").stdout


@pytest.mark.parametrize(
    ("name", "last", "words"),
    [
        ("A B", 202, "no client name"),
        ("c", 4, "is no client's"),
        ("a", 202, "already has"),
        ("c", 200, "already has"),
    ],
)
def test_clients_that_cannot_be_are_refused_in_a_sentence(cloud, name, last, words):
    with pytest.raises(clients.ClientRefused, match=words):
        clients.add(cloud.ground, name, cloud.ground.public[last])


def test_a_client_is_added_once_and_removed_at_will(cloud):
    address = cloud.ground.vpc[(255 << 8) + 9]
    made = clients.add(cloud.ground, "inside", address)

    assert clients.add(cloud.ground, "inside", address) == made
    assert made in clients.listed(cloud.ground)
    assert not cloud.reaches("inside", str(cloud.ground.gateway), 1)
    port = int(cloud.ready["bridge_endpoint"].rsplit(":", 1)[1])
    assert cloud.reaches("inside", str(cloud.ground.gateway), port)
    for _ in range(2):
        clients.remove(cloud.ground, "inside")
    assert made not in clients.listed(cloud.ground)


def test_an_address_that_is_none_is_said_on_the_command_line(cloud):
    done = command(cloud.ground, "client", "add", "c", "--address", "nonsense")

    assert (done.returncode, done.stderr) == (1, "'nonsense' is no IPv4 address.\n")
