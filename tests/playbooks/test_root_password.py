"""The stdlib gRPC caller against a real gRPC server that guards its door as Milvus does."""

import asyncio
import base64
import contextlib

import grpc
import milvus_root_password
import pytest
from ansible.module_utils import kite_grpc
from ansible.module_utils.kite_host import Refused
from hypothesis import given
from hypothesis import strategies as st
from pymilvus.grpc_gen import common_pb2, milvus_pb2, milvus_pb2_grpc


def plain(text):
    return base64.b64decode(text).decode()


class Milvus(milvus_pb2_grpc.MilvusServiceServicer):
    """Root's password and the two calls the module makes."""

    def __init__(self, password, *, stubborn=False, sleepy=0, deaf=False, stale=(), unready=()):
        self.password, self.stubborn, self.sleepy, self.deaf = password, stubborn, sleepy, deaf
        self.stale = list(stale)  # what becomes of changes while an old session is known
        self.unready = list(unready)  # the calls, counted from 1, that find no readiness
        self.calls = 0
        self.changes = []

    async def _check(self, context):
        self.calls += 1
        if self.calls in self.unready:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "not ready yet")
        given_words = dict(context.invocation_metadata()).get("authorization", "")
        if plain(given_words) != f"root:{self.password}":
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "auth check failure")

    async def ListCredUsers(self, request, context):
        await self._check(context)
        if self.sleepy:
            self.sleepy -= 1
            return milvus_pb2.ListCredUsersResponse(status=common_pb2.Status(code=1, error_code=1))
        return milvus_pb2.ListCredUsersResponse(usernames=["root"])

    async def UpdateCredential(self, request, context):
        await self._check(context)
        self.changes.append((request.username, plain(request.oldPassword)))
        if self.deaf:
            return common_pb2.Status(code=1400, reason="no, never")
        if self.stale:
            if self.stale.pop(0) == "stored":
                self.password = plain(request.newPassword)
            return common_pb2.Status(code=65535, error_code=14, reason="node not match")
        if not self.stubborn:
            self.password = plain(request.newPassword)
        return common_pb2.Status()


@pytest.fixture
async def door():
    """Start a server and answer how to run the module's work against it."""
    servers = []

    async def start(milvus):
        server = grpc.aio.server()
        milvus_pb2_grpc.add_MilvusServiceServicer_to_server(milvus, server)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        servers.append(server)

        async def work(password, pretend=False, seconds=20):
            opened = milvus_root_password.Door(port, seconds, settled=1)
            return await asyncio.to_thread(
                milvus_root_password.work, opened, password, pretend=pretend
            )

        return work

    yield start
    for server in servers:
        await server.stop(None)


async def test_the_default_password_is_replaced_once(door):
    milvus = Milvus("Milvus")
    work = await door(milvus)

    first, second = await work("a new one"), await work("a new one")

    assert (first["changed"], second["changed"]) == (True, False)
    assert milvus.password == "a new one"
    assert milvus.changes == [("root", "Milvus")]


async def test_a_long_and_foreign_password_travels_whole(door):
    milvus = Milvus("Milvus")
    password = "пароль-密码-" + "x" * 200
    work = await door(milvus)

    await work(password)

    assert milvus.password == password


async def test_a_check_changes_nothing(door):
    milvus = Milvus("Milvus")
    work = await door(milvus)

    assert (await work("new", pretend=True))["changed"] is True
    assert milvus.password == "Milvus"


async def test_a_password_its_owner_changed_is_left_alone(door):
    milvus = Milvus("the owner's")
    work = await door(milvus)

    assert (await work("ours"))["changed"] is False
    assert milvus.password == "the owner's"


async def test_milvus_may_need_a_moment(door):
    milvus = Milvus("Milvus", sleepy=2)
    work = await door(milvus)

    assert (await work("new"))["changed"] is True


@pytest.mark.parametrize("stale", [["lost", "lost"], ["lost", "stored"]])
async def test_a_change_is_asked_for_again_after_a_restart(door, stale):
    milvus = Milvus("Milvus", stale=stale)
    work = await door(milvus)

    assert (await work("new"))["changed"] is True
    assert milvus.password == "new"


@pytest.mark.parametrize("unready", [[1, 2], [1, 2, 3, 4], [3], [3, 4], [4]])
async def test_a_milvus_that_is_not_ready_is_no_owner_s_password(door, unready):
    """It refuses every password then, as it would a wrong one."""
    milvus = Milvus("Milvus", unready=unready)
    work = await door(milvus)

    assert (await work("new"))["changed"] is True
    assert milvus.password == "new"


async def test_an_answer_that_breaks_off_is_no_refusal():
    heard = []

    async def hang_up(reader, writer):
        heard.append(await reader.read(1))
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(Refused) as refusal:
        await asyncio.to_thread(milvus_root_password.Door(port, 0.5).opens, "any")
    server.close()

    assert (refusal.value.reason, len(heard) > 1) == ("NOT_HEALTHY", True)


async def test_what_milvus_refuses_with_is_told(door):
    work = await door(Milvus("Milvus", deaf=True))

    with pytest.raises(Refused, match="no, never"):
        await work("new", seconds=1)


@pytest.mark.parametrize(
    ("milvus", "password"),
    [
        (Milvus("Milvus"), ""),
        (Milvus("Milvus"), "Milvus"),
        (Milvus("Milvus", stubborn=True), "new"),
        (Milvus("Milvus", deaf=True), "new"),
    ],
    ids=["not given", "the default", "not obeyed", "refused"],
)
async def test_a_default_password_that_stays_is_a_failure(door, milvus, password):
    work = await door(milvus)

    with pytest.raises(Refused) as refusal:
        await work(password, seconds=1)

    assert refusal.value.reason == "PASSWORD_NOT_SET"


def test_nobody_there_is_told():
    with pytest.raises(Refused) as refusal:
        milvus_root_password.work(milvus_root_password.Door(9, 0), "x", pretend=False)

    assert refusal.value.reason == "NOT_HEALTHY"


@given(st.integers(min_value=0, max_value=2**63))
def test_a_number_survives_the_wire(value):
    assert kite_grpc.read_varint(kite_grpc.varint(value), 0) == (
        value,
        len(kite_grpc.varint(value)),
    )


@given(st.text(max_size=300), st.integers(min_value=1, max_value=500))
def test_a_text_field_is_read_back_by_protobuf(text, index):
    encoded = kite_grpc.text_field(index, text)

    assert list(kite_grpc.fields(encoded)) == [(index, text.encode())]


@given(st.text(max_size=200), st.text(max_size=200))
def test_a_request_is_what_protobuf_would_write(old, new):
    message = kite_grpc.text_field(3, old) + kite_grpc.text_field(4, new)

    read = milvus_pb2.UpdateCredentialRequest.FromString(message)
    assert (read.oldPassword, read.newPassword) == (old, new)


@given(st.binary(max_size=60))
def test_garbage_from_the_wire_is_an_error_and_no_hang(data):
    with contextlib.suppress(ValueError, IndexError):
        list(kite_grpc.fields(data))
