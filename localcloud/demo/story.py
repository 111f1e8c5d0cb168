"""The story: one user, one cluster, from POST to a searchable Milvus and back to nothing.

Only the HTTP API and the released pymilvus are used; EC2 is asked at the end what it still has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic, sleep
from typing import Any

from localcloud.demo import audit
from localcloud.demo.portal import Portal
from localcloud.demo.screen import Screen, Step
from localcloud.demo.visitor import Visitor

NAME, SIZE, DISK_GIB = "search-cats", "M5", 50
WALK = ("starting", "loading", "running")
RUNNING_SECONDS, GONE_SECONDS = 180.0, 120.0
KNOCK_SECONDS = 2.0
"""How long a refused client waits: groups drop packets, so refusal is silence, as on AWS."""


class Untrue(Exception):
    """Something that the story promises was not so."""


def insist(fact: object, otherwise: str) -> None:
    if not fact:
        raise Untrue(otherwise)


@dataclass(frozen=True)
class Scene:
    """Where the story plays: the API, EC2's endpoint for the audit, two client machines."""

    url: str
    ec2_endpoint: str
    region: str
    first: str
    first_address: str
    second: str


@dataclass(frozen=True)
class Place:
    """Where the cluster answers, and its root password, as the create answer told."""

    url: str
    password: str


def _kept_out(answer: Mapping[str, Any], step: Step) -> None:
    """The name was known and nothing came back: a missing server or network is no refusal."""
    insist(not answer["ok"], "it got through")
    insist(answer["tcp"] == "silence", f"that is no refusal but: {answer['tcp']}")
    step.tell("silence, as on AWS")


class Story:
    """Told once, in order; each method is one or two steps of the table."""

    def __init__(self, scene: Scene, screen: Screen) -> None:
        self._scene = scene
        self._screen = screen
        self._portal = Portal(scene.url)
        self._visitors: list[Visitor] = []
        self.calls: dict[str, int] = {}
        """EC2 actions that Kite made in the whole story, with their counts."""

    def tell(self) -> None:
        """Raises StepFailed, naming the step."""
        try:
            place = self._create()
            before, during, after, second = (
                self._visitor(namespace)
                for namespace in (*(self._scene.first,) * 3, self._scene.second)
            )
            self._until_running()
            self._refused("A client that is not on the list is refused", before, place)
            self._open()
            self._use(during, second, place)
            self._close(during, after, place)
            self._delete()
            self._nothing_left()
        finally:
            for visitor in self._visitors:
                visitor.close()
            self._portal.close()

    def _visitor(self, namespace: str) -> Visitor:
        visitor = Visitor(namespace)
        self._visitors.append(visitor)
        return visitor

    def _create(self) -> Place:
        with self._screen.step(f"POST /v1/milvus: {NAME}, {SIZE}, {DISK_GIB} GiB") as step:
            answer = self._portal.create(NAME, SIZE, DISK_GIB)
            insist(answer.get("milvus-url"), f"no milvus-url in the answer: {answer}")
            insist(answer.get("milvus-port") == "19530", f"milvus-port is not 19530: {answer}")
            step.tell(f"{answer['milvus-url']}:{answer['milvus-port']}")
            return Place(answer["milvus-url"], answer["credentials"]["password"])

    def _until_running(self) -> None:
        seen: list[str] = []
        for state in WALK:
            with self._screen.step(f"Instances are {state}") as step:
                self._walk_to(state, seen, step)

    def _walk_to(self, state: str, seen: list[str], step: Step) -> None:
        last = monotonic() + RUNNING_SECONDS
        while state not in seen:
            insist(monotonic() < last, f"not {state} after {RUNNING_SECONDS:.0f} s; was {seen}")
            cluster = self._portal.cluster(NAME)
            insist(cluster["status"] != "failed", f"{cluster.get('reason')}: {cluster.get('why')}")
            states = {one["status"] for one in cluster["instances"]}
            for passed in WALK:
                if passed in states and passed not in seen:
                    seen.append(passed)
            step.tell(str(cluster.get("why", "")))
            sleep(0.1)
        insist(seen == list(WALK[: len(seen)]), f"states came as {seen}")

    def _refused(self, title: str, visitor: Visitor, place: Place) -> None:
        with self._screen.step(title) as step:
            _kept_out(visitor.ask("knock", place.url, place.password, timeout=KNOCK_SECONDS), step)

    def _open(self) -> None:
        source = f"{self._scene.first_address}/32"
        with self._screen.step(f"PUT /v1/whitelist: {source}") as step:
            answer = self._portal.set_whitelist(NAME, [source])
            given = [entry["source-ip"] for entry in answer["ip-ranges"]]
            insist(given == [source], f"the whitelist is {given}")
            step.tell("1 entry")

    def _use(self, first: Visitor, second: Visitor, place: Place) -> None:
        with self._screen.step("It creates a collection, inserts, indexes, searches") as step:
            second.start("knock", place.url, place.password, timeout=KNOCK_SECONDS)
            answer = first.ask("search", place.url, place.password, timeout=30)
            insist(answer["ok"], f"it could not: {answer.get('why')}")
            insist(answer["hits"][0] == 42, f"wrong nearest neighbour: {answer['hits']}")  # noqa: PLR2004
            step.tell("1000 vectors, nearest neighbour right")
        with self._screen.step("A second client is still refused") as step:
            _kept_out(second.answer(), step)

    def _close(self, during: Visitor, after: Visitor, place: Place) -> None:
        with self._screen.step("PUT /v1/whitelist: empty") as step:
            answer = self._portal.set_whitelist(NAME, [])
            insist(not answer["ip-ranges"], f"still {answer['ip-ranges']}")
            notices = " ".join(answer.get("notices", []))
            insist("open" in notices, f"the answer does not speak of open connections: {notices}")
            step.tell("the answer says that open connections live on")
        self._refused("New connections are refused", after, place)
        with self._screen.step("The open connection lives on, as the answer said") as step:
            answer = during.ask("again", place.url, place.password)
            insist(answer["ok"], f"it was cut: {answer.get('why')}")
            step.tell("searched once more")

    def _delete(self) -> None:
        with self._screen.step(f"DELETE /v1/milvus: {NAME}") as step:
            answer = self._portal.delete(NAME)
            operation: Mapping[str, Any] = self._portal.operation(
                answer["operation-id"], wait=int(GONE_SECONDS / 2)
            )
            insist(
                operation["status"] == "succeeded",
                f"{operation['status']}: {operation.get('description')}",
            )
            step.tell(str(operation.get("description", "")))

    def _nothing_left(self) -> None:
        with self._screen.step("Nothing is left in EC2") as step:
            insist(self._portal.clusters() == [], "the API still lists a cluster")
            self.calls = audit.calls(self._scene.ec2_endpoint)
            ec2 = audit.ec2_client(self._scene.ec2_endpoint, self._scene.region)
            left = audit.leftovers(ec2)
            insist(not left, "; ".join(left))
            step.tell("no instance, volume, address, interface, group, key pair")
