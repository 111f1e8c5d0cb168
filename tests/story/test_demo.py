"""The story as a person runs it: one command, then the same machine as before."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from localcloud import leftovers
from localcloud.demo.children import Children
from localcloud.ground import Ground

pytestmark = [
    pytest.mark.story,
    pytest.mark.localcloud,
    pytest.mark.timeout(1500),
    pytest.mark.skipif(os.geteuid() != 0, reason="the local cloud needs root"),
]
RUN = Path(".run")
DEMO = (sys.executable, "-m", "localcloud.demo")


def demo(*words: str, seconds: float = 1200) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        (*DEMO, *words), capture_output=True, text=True, timeout=seconds, check=False
    )


def residue() -> list[str]:
    return leftovers.find(Ground()).lines()


@pytest.fixture(scope="module")
def kept() -> Iterator[str]:
    """A demo that told its whole story and was kept running."""
    done = demo("--keep")
    try:
        assert done.returncode == 0, done.stdout + done.stderr
        yield done.stdout
    finally:
        ended = demo("stop", seconds=120)
    assert ended.returncode == 0, ended.stderr
    assert residue() == []


def test_every_step_of_the_story_ends_well(kept: str) -> None:
    for word in ("starting", "loading", "running", "refused", "searches", "Nothing is left in EC2"):
        assert word in kept
    assert "✗" not in kept


def test_the_hand_over_file_names_what_answers(kept: str) -> None:
    values = dict(line.split("=", 1) for line in (RUN / "env").read_text().splitlines())
    assert set(values) == {
        "KITE_URL",
        "KITE_EC2_ENDPOINT",
        "KITE_REGISTRY",
        "KITE_PROVISIONER",
        "KITE_WHITELIST",
        "KITE_CLIENT_A",
        "KITE_CLIENT_B",
        "KITE_LOGS",
    }
    assert httpx.get(values["KITE_URL"] + "/healthz").status_code == 200
    namespaces = subprocess.run(("ip", "netns"), capture_output=True, text=True, check=True).stdout
    assert values["KITE_CLIENT_A"] in namespaces
    assert values["KITE_CLIENT_B"] in namespaces
    assert Path(values["KITE_LOGS"], "provisioner.log").is_file()


def test_the_policy_covers_every_call_of_the_story(kept: str) -> None:
    calls = set(json.loads((RUN / "ec2-calls.json").read_text()))
    assert {"RunInstances", "TerminateInstances", "AllocateAddress"} <= calls
    granted = {
        action.removeprefix("ec2:")
        for one in json.loads(Path("deploy/iam-policy.json").read_text())["Statement"]
        for action in ([one["Action"]] if isinstance(one["Action"], str) else one["Action"])
    }
    assert calls <= granted


def test_a_second_demo_says_so_and_changes_nothing(kept: str) -> None:
    before = residue()
    second = demo(seconds=60)
    assert second.returncode == 1
    assert "already runs on this machine" in second.stdout
    assert residue() == before
    assert httpx.get("http://127.0.0.1:8080/readyz").status_code == 200


@pytest.mark.parametrize("service", ["registry", "whitelist", "provisioner", "bff"])
def test_a_killed_service_starts_again(kept: str, service: str) -> None:
    child = Children(RUN).get(service)
    assert child is not None
    os.kill(child.pid, signal.SIGKILL)
    again = demo("restart", service, seconds=90)
    assert again.returncode == 0, again.stderr
    assert httpx.get("http://127.0.0.1:8080/readyz").status_code == 200


def test_an_unknown_service_is_refused(kept: str) -> None:
    again = demo("restart", "postgres", seconds=60)
    assert again.returncode == 1
    assert "registry, provisioner, whitelist, bff" in again.stderr
