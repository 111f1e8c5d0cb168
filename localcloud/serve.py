"""Bring the local cloud up, keep it up, take it down again. The order of things is here.

Promise: whatever ends it, a signal or a failure at any step, nothing of it stays on the machine.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import strftime
from types import FrameType

from localcloud import artifact, cleaning, network, preflight, root, survey, tenancy, tree, vpc
from localcloud.artifact import Artifact
from localcloud.artifact_server import ArtifactServer
from localcloud.dns import DnsServer
from localcloud.ec2 import Ec2
from localcloud.faults import Faults
from localcloud.fleet import Fleet
from localcloud.ground import Ground
from localcloud.strict.server import Ec2Api
from localcloud.workshop import open_workshop

PORT = 5577


class Unfit(Exception):
    """This machine lacks something; `sentences` say what, all of it."""

    def __init__(self, sentences: list[str]) -> None:
        super().__init__(" ".join(sentences))
        self.sentences = sentences


class Stopped(Exception):
    """A signal came while the cloud was still being brought up."""


class NotClean(Exception):
    """Something of ours could not be removed."""


@dataclass(frozen=True)
class Wanted:
    """How the cloud shall be."""

    state: Path
    ground: Ground = field(default_factory=Ground)
    port: int = PORT
    region: str = "us-east-1"
    packages: tuple[str, ...] = ()


def serve(wanted: Wanted) -> None:
    """Serve until SIGTERM or SIGINT.

    Prints one line of JSON to standard output when everything answers, and progress to standard
    error. Raises Unfit, Occupied, NoRoot, NoArtifact, ToolFailed or OSError before it is ready,
    NotClean when something stays behind at the end.
    """
    ground, state = wanted.ground, wanted.state
    with signals() as stop, ExitStack() as stack:
        if sentences := preflight.problems(survey.look(ground, state, 0, wanted.packages)):
            raise Unfit(sentences)
        former = tenancy.tenant(ground)
        stack.enter_context(tenancy.hold(ground, state))
        stack.callback(_clear, ground, state)
        stack.callback(stop.settle)
        _clear(ground, state)
        if former is not None:
            cleaning.forget(ground, Path(former.state))
        if sentences := preflight.problems(
            survey.look(ground, state, wanted.port, wanted.packages)
        ):
            raise Unfit(sentences)
        lower = root.ensure(root.recipe(wanted.packages), root.cache(), say)
        wheel = artifact.ensure(root.cache(), say)
        unpacked = tree.ensure(wheel, say)
        # An exception in the start of a tool would leave it running behind our cleaning.
        stop.settle()
        fleet, line = _raise(stack, wanted, lower, wheel, unpacked)
        if stop.event.is_set():
            raise Stopped
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()
        fleet.run(stop.event)
        say("Stopping; removing hosts, networks and disks")


def _raise(
    stack: ExitStack, wanted: Wanted, lower: Path, wheel: Artifact, unpacked: Artifact
) -> tuple[Fleet, dict[str, object]]:
    """Everything up, and what the ready line shall tell. `stack` takes it down."""
    ground, state = wanted.ground, wanted.state
    workshop = open_workshop(stack, ground, state, lower)
    stack.callback(network.drop_switch, ground)
    network.raise_switch(ground)
    files = ArtifactServer([wheel, unpacked], ground.gateway)
    stack.callback(files.stop)
    names = DnsServer([ground.gateway, ground.public_gateway], [ground.vpc, ground.public])
    stack.callback(names.stop)
    api = _api(stack, wanted)
    ec2 = Ec2(api.internal_endpoint, wanted.region)
    base = vpc.ensure(ec2.client, ground, wanted.region)
    fleet = Fleet(
        ec2=ec2,
        marks=api,
        workshop=workshop,
        faults=Faults(state),
        status=state / "status.json",
        say=say,
    )
    stack.callback(fleet.close)
    api.enforce_with(fleet.catch_up)
    line: dict[str, object] = {
        "endpoint": api.endpoint,
        "bridge_endpoint": api.endpoints[-1],
        "region": wanted.region,
        "vpc_id": base.vpc_id,
        "subnet_id": base.subnet_id,
        "image_id": base.image_id,
        "artifact_url": files.url(wheel),
        "artifact_sha256": wheel.sha256,
        "tree_url": files.url(unpacked),
        "tree_sha256": unpacked.sha256,
        "dns": str(ground.gateway),
        "vpc_cidr": str(ground.vpc),
        "public_cidr": str(ground.public),
        "gateway": str(ground.gateway),
        "state": str(state),
        "pid": os.getpid(),
    }
    return fleet, line


def _api(stack: ExitStack, wanted: Wanted) -> Ec2Api:
    outside = Ec2Api(
        listen=[("127.0.0.1", wanted.port), (str(wanted.ground.gateway), wanted.port)],
        public_pool=wanted.ground.pool,
        region=wanted.region,
        hold_pending=True,
        hold_stopping=True,
    )
    outside.start()
    stack.callback(outside.stop)
    return outside


def _clear(ground: Ground, state: Path) -> None:
    if left := cleaning.sweep(ground):
        raise NotClean(f"Could not be removed: {'; '.join(left.lines())}")
    cleaning.forget(ground, state)


@dataclass
class Stop:
    """When to stop: raised at once as long as `raises`, an event afterwards."""

    event: threading.Event
    raises: bool = True

    def settle(self) -> None:
        """From here on a signal disturbs nothing."""
        self.raises = False


@contextmanager
def signals() -> Iterator[Stop]:
    """SIGTERM and SIGINT end what runs inside; a second one does not disturb the end."""
    stop = Stop(threading.Event())

    def on(_number: int, _frame: FrameType | None) -> None:
        is_first = not stop.event.is_set()
        stop.event.set()
        if is_first and stop.raises:
            raise Stopped

    kinds = (signal.SIGTERM, signal.SIGINT)
    before = {kind: signal.signal(kind, on) for kind in kinds}
    try:
        yield stop
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)


Say = Callable[[str], None]


def say(text: str) -> None:
    """Progress, for whoever reads the log."""
    sys.stderr.write(f"{strftime('%H:%M:%S')} {text}\n")
    sys.stderr.flush()
