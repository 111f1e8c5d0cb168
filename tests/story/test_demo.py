"""The story as a person runs it: one command, then the same machine as before."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from time import monotonic, sleep

import httpx
import pytest

from localcloud import leftovers
from localcloud.demo.children import Children
from localcloud.demo.portal import Portal
from localcloud.demo.stage import CLIENT_A, MODULES
from localcloud.demo.story import KNOCK_SECONDS, Place
from localcloud.demo.visitor import Visitor
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
    last = monotonic() + 60
    while any("-hosts/i-" in line for line in residue()):
        assert monotonic() < last, "a machine that was ended in EC2 does not go"
        sleep(0.2)
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


def test_curl_alone_tells_the_whole_story_as_the_readme_has_it(kept: str) -> None:
    section = Path("README.md").read_text().partition("## With curl")[2]
    script = section.partition("```sh\n")[2].partition("```")[0]
    done = subprocess.run(
        ("bash", "-euo", "pipefail", "-c", script),
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = [
        '"password": "',
        '"status": "succeeded"',
        "refused by silence",
        '"source-ip": "198.18.88.200/32"',
        '"insertCount":2',
        '"distance":0.02',
        "still refused",
        '"ip-ranges": []',
        "closed again",
        '"status": "deleted"',
        '"clusters": []',
        "<volumeSet/>",
    ]
    places = [done.stdout.find(words) for words in told]
    assert places == sorted(places), done.stdout
    assert places[0] >= 0
    assert done.stderr.count("curl: (28)") == 3, done.stderr


@contextmanager
def cluster(portal: Portal, name: str, source: str) -> Iterator[Place]:
    """One that runs and lets the source in; gone afterwards."""
    answer = portal.create(name, "M5", 50)
    try:
        portal.set_whitelist(name, [source])
        last = monotonic() + 180
        while (seen := portal.cluster(name))["status"] != "running":
            assert monotonic() < last, seen
            sleep(0.2)
        yield Place(answer["milvus-url"], answer["credentials"]["password"])
    finally:
        ended = portal.operation(portal.delete(name)["operation-id"], wait=60)
    assert ended["status"] == "succeeded", ended


@contextmanager
def without_kite() -> Iterator[None]:
    """All four services killed at once, and started again afterwards."""
    children = [child for name in MODULES if (child := Children(RUN).get(name))]
    assert len(children) == len(MODULES)
    try:
        for child in children:
            os.kill(child.pid, signal.SIGKILL)
        last = monotonic() + 20
        while any(child.alive() for child in children):
            assert monotonic() < last, "one survives SIGKILL"
            sleep(0.02)
        yield
        assert not any(child.alive() for child in children)
    finally:
        for name in MODULES:
            again = demo("restart", name, seconds=90)
            assert again.returncode == 0, again.stderr


def test_a_running_cluster_and_its_whitelist_do_not_need_kite(kept: str) -> None:
    """Clients connect anew after the death: nothing rests on a connection from before."""
    values = dict(line.split("=", 1) for line in (RUN / "env").read_text().splitlines())
    url, listed = values["KITE_URL"], f"{Ground().public[CLIENT_A[1]]}/32"
    with (
        closing(Portal(url)) as portal,
        cluster(portal, "alone", listed) as place,
        closing(Visitor(values["KITE_CLIENT_A"])) as friend,
        closing(Visitor(values["KITE_CLIENT_B"])) as stranger,
        without_kite(),
    ):
        with pytest.raises(httpx.ConnectError):
            httpx.get(url + "/healthz")
        stranger.start("knock", place.url, place.password, timeout=KNOCK_SECONDS)
        found = friend.ask("search", place.url, place.password, timeout=30)
        assert found["ok"], found
        assert found["hits"][0] == 42, found
        refused = stranger.answer()
        assert (refused["ok"], refused["tcp"]) == (False, "silence"), refused
