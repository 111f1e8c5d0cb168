"""Every method of every service: its deadline, and whether the channel may send it twice."""

import importlib
import pkgutil
import re

import grpc
import pytest
from google.protobuf import descriptor_pb2, message_factory

from kite import v1
from kite.errors import KiteError, Unavailable
from kite.rpc import client, failures
from tests.house import tree

LEVEL = descriptor_pb2.MethodOptions
# Sent once: a second time might be one more. Why a caller's own repeat does no harm:
ONCE = {
    "kite.v1.ControllerService/Claim": "the next one lists what is held; the rest is free at once",
    "kite.v1.RegistryService/SetWhitelist": "compare-and-set on the revision",
    "kite.v1.OperationService/AppendEvents": "a line of the story may be told twice",
    "kite.v1.WhitelistService/SetRules": "the same whitelist again changes nothing",
    "kite.v1.AdoptionService/AdoptClusters": "what is there already is refused, and all with it",
    "kite.v1.SweepService/Sweep": "a round looks anew at everything; but one is work enough",
}
# Streams last as long as both ends live; keepalive ends those to a peer that stands still.
STREAMS = {"WatchClusters", "WatchOperation", "WatchHints", "WatchInstall", "Survey"}


def methods():
    for module in pkgutil.iter_modules(v1.__path__):
        if module.name.endswith("_pb2"):
            found = importlib.import_module(f"kite.v1.{module.name}").DESCRIPTOR
            for service in found.services_by_name.values():
                yield from service.methods


METHODS = {f"{m.containing_service.full_name}/{m.name}": m for m in methods()}
UNARY = sorted(n for n, m in METHODS.items() if not m.server_streaming)


def level(name):
    return METHODS[name].GetOptions().idempotency_level


class Answering(grpc.GenericRpcHandler):
    """Answers every call with an empty message, after `failing` refusals; keeps what it saw."""

    def __init__(self):
        self.failing = 0
        self.seen = []
        self.refuse = None

    def service(self, details):
        async def call(request, context):
            self.seen.append((details.method.lstrip("/"), context.time_remaining()))
            if self.failing:
                self.failing -= 1
                await self.refuse(context)
            return b""

        return grpc.unary_unary_rpc_method_handler(call)


async def bare(context):
    await context.abort(grpc.StatusCode.UNAVAILABLE, "away")


async def named(context):
    error = Unavailable("in words", reason="STORE_AWAY", retry_after=1)
    await context.abort(
        grpc.StatusCode.UNAVAILABLE, "x", trailing_metadata=failures.trailers(error)
    )


@pytest.fixture
async def answering():
    handler, server = Answering(), grpc.aio.server()
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with client.connect(f"127.0.0.1:{port}", name="registry") as channel:
        handler.channel = channel
        yield handler
    await server.stop(0)


async def call(answering, name, **how):
    method = METHODS[name]
    answer = message_factory.GetMessageClass(method.output_type)
    send = answering.channel.unary_unary(
        f"/{name}",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=answer.FromString,
    )
    return await send(message_factory.GetMessageClass(method.input_type)(), **how)


def test_every_method_says_whether_it_may_be_repeated():
    unmarked = {n for n in METHODS if level(n) == LEVEL.IDEMPOTENCY_UNKNOWN}
    assert unmarked == set(ONCE)
    streams = {m.name for m in METHODS.values() if m.server_streaming}
    assert streams == STREAMS


@pytest.mark.parametrize("name", UNARY)
async def test_only_what_may_be_repeated_is_sent_again(answering, name):
    answering.failing, answering.refuse = 1, bare
    if name in ONCE:
        with pytest.raises(Unavailable):
            await call(answering, name)
        assert len(answering.seen) == 1
    else:
        await call(answering, name)
        assert [method for method, _ in answering.seen] == [name, name]


async def test_a_failure_with_a_name_is_an_answer_and_not_asked_for_again(answering):
    answering.failing, answering.refuse = 9, named
    with pytest.raises(Unavailable) as caught:
        await call(answering, "kite.v1.RegistryService/GetCluster")
    assert (caught.value.reason, len(answering.seen)) == ("STORE_AWAY", 1)


async def test_a_peer_that_stays_away_is_asked_four_times_at_most(answering):
    answering.failing, answering.refuse = 99, bare
    with pytest.raises(KiteError):
        await call(answering, "kite.v1.RegistryService/GetCluster")
    assert len(answering.seen) == 4


@pytest.mark.parametrize("name", UNARY)
async def test_no_call_is_without_a_deadline(answering, name):
    await call(answering, name)
    [(_, remaining)] = answering.seen
    longest = client.READ_SECONDS if name in reads() else client.CHANGE_SECONDS
    assert remaining is not None
    assert 0 < remaining < longest + 1


def reads():
    return {n for n in UNARY if re.search(r"/(Get|List)", n)}


async def test_a_deadline_of_the_caller_wins(answering):
    await call(answering, "kite.v1.RegistryService/GetCluster", timeout=1)
    assert answering.seen[0][1] < 2


def test_there_is_no_way_round_the_door():
    """Channels of our own making give every call its deadline; who makes others must do it too."""
    makers = {}
    for name in tree.written(".py"):
        if name.startswith(tree.PRODUCT) and re.search(r"secure_channel\(", tree.text(name)):
            makers[name] = tree.text(name)
    assert set(makers) == {"kite/rpc/client.py", "kite/rpc/probe.py", "provisioner/milvus/probe.py"}
    for name in ("kite/rpc/probe.py", "provisioner/milvus/probe.py"):
        assert "timeout=" in makers[name]


def test_the_channel_comes_back_quickly():
    options = dict(client._OPTIONS)
    assert options["grpc.initial_reconnect_backoff_ms"] == 200
    assert options["grpc.max_reconnect_backoff_ms"] == 2_000
    # All three, or a frozen peer is noticed at the deadline only.
    assert options["grpc.keepalive_time_ms"] == 10_000
    assert options["grpc.keepalive_timeout_ms"] == options["grpc.http2.ping_timeout_ms"] == 3_000
