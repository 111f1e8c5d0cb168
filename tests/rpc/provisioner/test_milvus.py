"""The probe against something that speaks Milvus's wire, and against silence."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field

import grpc
import pytest

from kite.errors import CloudRefused, Unavailable
from provisioner.facts import Answer
from provisioner.milvus.probe import MilvusProbe
from provisioner.milvus.wire import milvus_pb2
from provisioner.reach import ssh_answers

PASSWORD = "ours-and-long"


@dataclass
class Milvus:
    """Behaves as 2.3.5 with authorization on does; the names of its methods are Milvus's own."""

    password: str = "Milvus"
    healthy: bool = True
    ready: bool = True
    authorization: bool = True
    refuses: int = 0
    port: int = 0
    seen: list[str] = field(default_factory=list)

    async def start(self) -> grpc.aio.Server:
        server = grpc.aio.server()
        methods = {
            "ListCredUsers": (self.list_users, milvus_pb2.ListCredUsersRequest),
            "CheckHealth": (self.health, milvus_pb2.CheckHealthRequest),
            "UpdateCredential": (self.update, milvus_pb2.UpdateCredentialRequest),
        }
        handlers = {
            name: grpc.unary_unary_rpc_method_handler(
                call,
                request_deserializer=request.FromString,
                response_serializer=lambda answer: answer.SerializeToString(),
            )
            for name, (call, request) in methods.items()
        }
        service = "milvus.proto.milvus.MilvusService"
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
        self.port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        return server

    async def _login(self, context) -> None:
        given = dict(context.invocation_metadata())["authorization"]
        self.seen.append(base64.b64decode(given).decode())
        if self.authorization and self.seen[-1] != f"root:{self.password}":
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "auth check failure")

    async def list_users(self, request, context):
        await self._login(context)
        status = milvus_pb2.Status() if self.ready else milvus_pb2.Status(code=1, reason="later")
        return milvus_pb2.ListCredUsersResponse(status=status, usernames=["root"])

    async def health(self, request, context):
        await self._login(context)
        return milvus_pb2.CheckHealthResponse(is_healthy=self.healthy)

    async def update(self, request, context):
        await self._login(context)
        if self.refuses:
            return milvus_pb2.Status(error_code=self.refuses, reason="too short")
        assert base64.b64decode(request.old_password).decode() == self.password
        self.password = base64.b64decode(request.new_password).decode()
        return milvus_pb2.Status()


@pytest.fixture
async def milvus():
    made = Milvus()
    server = await made.start()
    yield made
    await server.stop(0)


def probe(milvus):
    return MilvusProbe(port=milvus.port, seconds=2)


async def test_the_password_it_was_born_with_is_seen_and_replaced(milvus):
    asked = probe(milvus)
    assert await asked.look("127.0.0.1", PASSWORD) is Answer.UNSECURED
    await asked.secure("127.0.0.1", PASSWORD)
    assert milvus.password == PASSWORD
    assert await asked.look("127.0.0.1", PASSWORD) is Answer.ANSWERS
    await asked.secure("127.0.0.1", PASSWORD)
    assert milvus.password == PASSWORD


async def test_a_password_its_owner_changed_is_none_of_our_business(milvus):
    milvus.password = "the owner's own"
    assert await probe(milvus).look("127.0.0.1", PASSWORD) is Answer.ANSWERS
    await probe(milvus).secure("127.0.0.1", PASSWORD)
    assert milvus.password == "the owner's own"


async def test_authorization_off_is_never_an_answer(milvus):
    milvus.authorization = False
    assert await probe(milvus).look("127.0.0.1", PASSWORD) is Answer.UNSECURED


@pytest.mark.parametrize("fault", [{"healthy": False}, {"ready": False}])
async def test_not_well_is_silence(milvus, fault):
    milvus.password = PASSWORD
    for name, value in fault.items():
        setattr(milvus, name, value)
    if "ready" in fault:
        milvus.authorization = False
    assert await probe(milvus).look("127.0.0.1", PASSWORD) is Answer.SILENT


async def test_a_refused_password_is_told(milvus):
    milvus.refuses = 5
    with pytest.raises(CloudRefused, match="too short") as refused:
        await probe(milvus).secure("127.0.0.1", PASSWORD)
    assert refused.value.reason == "PASSWORD_NOT_SET"


async def test_nobody_there(unused_tcp_port):
    asked = MilvusProbe(port=unused_tcp_port, seconds=2)
    assert await asked.look("127.0.0.1", PASSWORD) is Answer.SILENT
    with pytest.raises(Unavailable):
        await asked.secure("127.0.0.1", PASSWORD)


async def test_a_server_without_health_is_silent(unused_tcp_port):
    server = grpc.aio.server()
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    asked = MilvusProbe(port=port, seconds=2)
    assert await asked.look("127.0.0.1", PASSWORD) is Answer.SILENT
    await server.stop(0)


@pytest.mark.parametrize(("greeting", "answers"), [
    (b"SSH-2.0-OpenSSH_9.2\r\n", True), (b"HTTP/1.1 400\r\n", False), (b"", False),
])  # fmt: skip
async def test_ssh_answers_when_it_greets(greeting, answers):
    import asyncio

    async def greet(reader, writer):
        writer.write(greeting)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    assert await ssh_answers("127.0.0.1", port) is answers
    server.close()
    await server.wait_closed()


async def test_a_closed_port_does_not_answer(unused_tcp_port):
    assert not await ssh_answers("127.0.0.1", unused_tcp_port)


async def test_a_host_that_swallows_everything_does_not_answer():
    import asyncio

    over = asyncio.Event()

    async def swallow(reader, writer):
        await reader.read()
        writer.close()
        await writer.wait_closed()
        over.set()

    server = await asyncio.start_server(swallow, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    assert not await ssh_answers("127.0.0.1", port, seconds=0.1)
    await over.wait()
    server.close()
    await server.wait_closed()
