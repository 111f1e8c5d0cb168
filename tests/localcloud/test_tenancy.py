"""One cloud per machine; whatever ends it, nothing stays."""

from __future__ import annotations

import pytest

from localcloud import leftovers
from localcloud.ground import Ground
from tests.localcloud.world import command, raise_world

GROUND = Ground("kx", 85)


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
        ("client", "add", "a", "--address=198.18.85.200"),
    ):
        done = command(GROUND, *words)
        assert done.returncode == 1
        assert "No local cloud runs" in done.stderr
    assert "No local cloud runs" in command(GROUND, "stop").stdout


@pytest.mark.parametrize(
    ("name", "address", "words"),
    [
        ("A B", "198.18.87.202", "no client name"),
        ("c", "198.18.87.4", "is no client's"),
        ("c", "8.8.8.8", "is no client's"),
        ("c", "nonsense", "no IPv4 address"),
        ("a", "198.18.87.202", "already has"),
        ("c", "198.18.87.200", "already has"),
    ],
)
def test_clients_that_cannot_be_are_refused_in_a_sentence(cloud, name, address, words):
    done = command(cloud.ground, "client", "add", name, "--address", address)

    assert done.returncode == 1
    assert words in done.stderr
    assert "Traceback" not in done.stderr
