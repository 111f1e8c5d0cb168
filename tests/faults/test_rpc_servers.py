"""A registry that is killed, restarted, frozen, or whose reply is lost, as its callers see it."""

import asyncio
import contextlib
import itertools
import os
import signal
import socket
import subprocess
import sys
import time

import grpc
import pytest

from bff.app import serve
from bff.settings import Settings
from kite.errors import DeadlinePassed, Unavailable
from kite.rpc import client
from kite.v1 import registry_pb2 as pb
from kite.v1 import registry_pb2_grpc
from tests.edge import http
from tests.faults.relay import Relay
from tests.store.servers import ROOT, free_port

USER = "milvus-test"


class Registry:
    """The process, on one port and one folder through all its lives."""

    def __init__(self, folder):
        self.folder = folder
        self.port = free_port()
        self.process = None

    @property
    def target(self):
        return f"127.0.0.1:{self.port}"

    def start(self):
        env = {k: v for k, v in os.environ.items() if not k.startswith("KITE_")} | {
            "KITE_ENV_FILE": os.devnull,
            "KITE_REGISTRY_LISTEN": self.target,
            "KITE_REGISTRY_FOLDER": str(self.folder / "data"),
        }
        with (self.folder / "registry.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "registry_svc"], cwd=ROOT, env=env, stdout=log, stderr=log
            )
        last = time.monotonic() + 30
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return self
            assert self.process.poll() is None, (self.folder / "registry.log").read_text()[-2000:]
            assert time.monotonic() < last
            time.sleep(0.02)

    def kill(self):
        self.process.kill()
        self.process.wait(10)

    @contextlib.contextmanager
    def frozen(self):
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    registry = Registry(tmp_path_factory.mktemp("registry")).start()
    yield registry
    registry.kill()


def create(stub, name, *, call_id="", **how):
    request = pb.CreateClusterRequest(
        user=USER, milvus_name=name, milvus_type="M5", disk_gib=50, request_id="r", call_id=call_id
    )
    return stub.CreateCluster(request, **how)


async def listed(stub):
    return [c.milvus_name for c in (await stub.ListClusters(pb.ListClustersRequest())).clusters]


async def test_a_frozen_server_ends_the_call_at_its_deadline(registry):
    async with client.connect(registry.target, name="registry") as channel:
        stub = registry_pb2_grpc.RegistryServiceStub(channel)
        before = await listed(stub)
        with registry.frozen(), pytest.raises(DeadlinePassed, match="registry"):
            await stub.ListClusters(pb.ListClustersRequest(), timeout=0.5)
        assert await listed(stub) == before


async def test_a_frozen_server_ends_a_watch_too(registry, monkeypatch):
    """Streams have no deadline; keepalive finds out, here in a fraction of its usual time."""
    names = ("keepalive_time_ms", "keepalive_timeout_ms", "http2.ping_timeout_ms")
    quick = {f"grpc.{name}": 1000 for name in names}
    real = grpc.aio.insecure_channel

    def hurried(target, options, interceptors):
        options = [(name, quick.get(name, value)) for name, value in options]
        return real(target, options=options, interceptors=interceptors)

    monkeypatch.setattr(grpc.aio, "insecure_channel", hurried)
    async with client.connect(registry.target, name="registry") as channel:
        stub = registry_pb2_grpc.RegistryServiceStub(channel)
        watch = stub.WatchClusters(pb.WatchClustersRequest()).__aiter__()
        while not (await anext(watch)).caught_up:
            pass
        with registry.frozen(), pytest.raises(Unavailable):
            async with asyncio.timeout(20):
                await anext(watch)


async def test_the_edge_answers_504_for_a_frozen_server_and_goes_on(registry):
    edge = await serve(
        Settings(
            secret="0123456789abcdef",
            bff_listen="127.0.0.1:0",
            bff_request_seconds=0.5,
            bff_drain_seconds=0.01,
            registry=registry.target,
            whitelist=registry.target,
            provisioner=registry.target,
        )
    )
    ask = http.request("GET", "/v1/plans")
    first = await until_200(edge.port, ask)
    with registry.frozen():
        late = await http.raw(edge.port, ask)
        ready = await http.raw(edge.port, http.request("GET", "/readyz", user=None))
    await until_200(edge.port, ask)
    await edge.stop()
    assert (first.status, ready.status) == (200, 503)
    assert (late.status, late.json["reason"]) == (504, "DEADLINE_PASSED")
    assert int(late.headers["retry-after"]) >= 1
    assert late.json["retryable"] is True


async def until_200(port, ask):
    """Half a second may be too short on a busy machine, once."""
    async with asyncio.timeout(30):
        while (answer := await http.raw(port, ask)).status != 200:
            pass
    return answer


async def test_a_call_in_flight_while_the_server_is_killed_and_every_later_one(tmp_path):
    registry = Registry(tmp_path).start()
    async with client.connect(registry.target, name="registry") as channel:
        stub = registry_pb2_grpc.RegistryServiceStub(channel)
        made = await create(stub, "before")
        with registry.frozen():
            flying = asyncio.ensure_future(create(stub, "flying"))
            await asyncio.sleep(0.05)  # it is on its way and cannot be answered
            registry.kill()
        restarted = asyncio.get_running_loop().run_in_executor(None, registry.start)
        with contextlib.suppress(Unavailable):  # the tries of the channel may be over too early
            await flying
        await restarted
        answer = await until_answered(lambda: create(stub, "flying"))
        assert answer.operation.request_id == "r"
        again = await create(stub, "before")
        assert (again.created, again.cluster) == (False, made.cluster)
        assert await listed(stub) == ["before", "flying"]
    registry.kill()


async def until_answered(ask):
    """As every loop of ours does: again until there is an answer."""
    async with asyncio.timeout(30):
        while True:
            try:
                return await ask()
            except (Unavailable, DeadlinePassed):
                await asyncio.sleep(0.05)


async def test_a_lost_reply_makes_nothing_twice(registry):
    with Relay("127.0.0.1", registry.port) as relay:
        async with client.connect(f"127.0.0.1:{relay.port}", name="registry") as channel:
            stub = registry_pb2_grpc.RegistryServiceStub(channel)
            before = await listed(stub)
            relay.lose(b"lost-reply")
            answer = await create(stub, "lost-reply", call_id="one")
            assert relay.lost == 1
            assert answer.created  # by the first try, whose reply was lost
            assert answer.operation.request_id == "r"
            assert sorted(await listed(stub)) == sorted([*before, "lost-reply"])


class Attempts:
    """A port that takes a connection and drops it: notes when a channel tried."""

    def __init__(self, enough):
        self.times = []
        self.left = enough
        self.enough = asyncio.Event()

    async def __call__(self, reader, writer):
        self.times.append(time.monotonic())
        if len(self.times) == self.left:
            self.enough.set()
        writer.transport.abort()


async def test_a_channel_never_waits_longer_than_its_longest_pause(registry):
    """However long the outage: by default the pause grows to two minutes, ours to two seconds."""
    attempts = Attempts(9)  # 0.2 s, each pause 1.6 times the last, up to 2 s
    away = await asyncio.start_server(attempts, "127.0.0.1", 0)
    port = away.sockets[0].getsockname()[1]
    async with client.connect(f"127.0.0.1:{port}", name="registry") as channel:
        stub = registry_pb2_grpc.RegistryServiceStub(channel)
        waiting = asyncio.ensure_future(
            stub.ListClusters(pb.ListClustersRequest(), timeout=180, wait_for_ready=True)
        )
        async with asyncio.timeout(120):
            await attempts.enough.wait()
        away.close()
        await away.wait_closed()
        with Relay("127.0.0.1", registry.port, port=port):
            back = time.monotonic()
            assert (await waiting).clusters is not None
            attempts.times.append(attempts.times[-1] + time.monotonic() - back)
    pauses = [b - a for a, b in itertools.pairwise(attempts.times)]
    # Jitter is a fifth. Without a longest pause the last one had grown to more than six seconds:
    # what lies between may be a busy machine's.
    assert max(pauses) < 6
    assert max(pauses) > 3 * min(pauses)
