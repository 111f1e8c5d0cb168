"""The process: starts, says how it is, ends well, and refuses in a sentence."""

import asyncio
import json
import os
import signal
import sys

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from kite.errors import Unavailable
from kite.rpc import client
from kite.v1 import registry_pb2, registry_pb2_grpc
from registry_svc import tidying
from tests.rpc.registry.conftest import USER
from tests.store.servers import ROOT

SERVICES = ("RegistryService", "ControllerService", "OperationService")


async def start(tmp_path, **env):
    settings = {
        "KITE_REGISTRY_LISTEN": "127.0.0.1:0",
        "KITE_REGISTRY_FOLDER": str(tmp_path / "data"),
        "KITE_LOG_FORMAT": "json",
        "KITE_ENV_FILE": str(tmp_path / "none"),
        **env,
    }
    kept = {k: v for k, v in os.environ.items() if not k.startswith("KITE_")}
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "registry_svc",
        cwd=ROOT,
        env=kept | settings,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def ready(process):
    async with asyncio.timeout(30):
        while True:
            line = json.loads(await process.stdout.readline())
            if line["event"] == "ready":
                return line


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
async def test_it_starts_serves_drains_and_keeps_its_records(tmp_path, how):
    for first in (True, False):
        process = await start(tmp_path)
        port = (await ready(process))["port"]
        async with client.connect(f"127.0.0.1:{port}", name="registry") as channel:
            stub = registry_pb2_grpc.RegistryServiceStub(channel)
            answer = await stub.CreateCluster(
                registry_pb2.CreateClusterRequest(
                    user=USER, milvus_name="search-cats", milvus_type="M5", disk_gib=50
                )
            )
            assert answer.created is first
            watch = stub.WatchClusters(registry_pb2.WatchClustersRequest()).__aiter__()
            await anext(watch)
            process.send_signal(how)
            with pytest.raises(Unavailable):
                async for _ in watch:
                    pass
        async with asyncio.timeout(20):
            _, errors = await process.communicate()
        assert (process.returncode, errors.decode()) == (0, "")


@pytest.mark.parametrize(
    ("env", "says"),
    [
        ({"KITE_REGISTRY_LISTENS": "x"}, "KITE_REGISTRY_LISTENS: unknown setting"),
        ({"KITE_REGISTRY_CLUSTERS_PER_USER": "0"}, "KITE_REGISTRY_CLUSTERS_PER_USER:"),
        ({"KITE_REGISTRY_PLANS_FILE": "/nowhere/plans.yaml"}, "/nowhere/plans.yaml"),
        ({"KITE_REGISTRY_FOLDER": "/proc/kite"}, "/proc/kite: the embedded store cannot"),
        ({"KITE_REGISTRY_MONGODB_URI": "postgres://x"}, "must start with mongodb://"),
    ],
)
async def test_what_cannot_be_is_refused_in_a_sentence(tmp_path, env, says):
    process = await start(tmp_path, **env)
    async with asyncio.timeout(30):
        _, errors = await process.communicate()
    assert process.returncode == 1
    assert says in errors.decode()
    assert "Traceback" not in errors.decode()


async def test_a_port_that_is_taken_is_refused_in_a_sentence(registry, tmp_path):
    process = await start(tmp_path, KITE_REGISTRY_LISTEN=f"127.0.0.1:{registry.port}")
    async with asyncio.timeout(30):
        _, errors = await process.communicate()
    assert process.returncode == 1
    assert str(registry.port) in errors.decode()
    assert "Traceback" not in errors.decode()


async def health(channel, service):
    stub = health_pb2_grpc.HealthStub(channel)
    request = health_pb2.HealthCheckRequest(service=service)
    return (await stub.Check(request, timeout=5)).status


@pytest.mark.parametrize("away", [Unavailable(), ValueError("a defect")], ids=["away", "defect"])
async def test_health_follows_the_store(registry, monkeypatch, away):
    readable = True

    def ping():
        if not readable:
            raise away

    monkeypatch.setattr(registry.store, "ping", ping)
    told = asyncio.Queue()

    class Server:
        async def set_serving(self, *, serving):
            told.put_nowait(serving)

    beside = asyncio.create_task(
        tidying.watch_health(registry.store, registry.app.threads, Server(), seconds=0.001)
    )
    readable = False
    async with asyncio.timeout(20):
        assert await told.get() is False
        readable = True
        assert await told.get() is True
    beside.cancel()


async def test_every_service_is_serving(registry):
    async with grpc.aio.insecure_channel(f"127.0.0.1:{registry.port}") as channel:
        for name in ("", *(f"kite.v1.{service}" for service in SERVICES)):
            assert await health(channel, name) == health_pb2.HealthCheckResponse.SERVING


@pytest.mark.parametrize("failed", [Unavailable(), KeyError("spec")], ids=["away", "defect"])
async def test_tidying_goes_on_after_a_failure(registry, monkeypatch, failed):
    rounds = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def tidy(store, now_ms):
        loop.call_soon_threadsafe(rounds.put_nowait, now_ms)
        raise failed

    monkeypatch.setattr(tidying, "tidy", tidy)
    beside = asyncio.create_task(
        tidying.tidy_for_ever(registry.store, registry.app.threads, registry.app.time, seconds=0)
    )
    async with asyncio.timeout(20):
        assert [await rounds.get(), await rounds.get()] == [registry.clock.now_ms()] * 2
    beside.cancel()
