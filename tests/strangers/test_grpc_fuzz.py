"""Whatever bytes a stranger sends, a service answers with a named failure and stays SERVING.

The calls are made from what reflection tells, on the services as an operator runs them; EC2 is
away. INTERNAL and UNKNOWN would be defects of ours, and are what this looks for.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import grpc
import pytest
from grpc import StatusCode
from grpc_health.v1 import health_pb2, health_pb2_grpc
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kite.v1 import registry_pb2, registry_pb2_grpc
from localcloud.strict.inproc import client
from tests.strangers.reflected import Method, messages, methods
from tests.worlds.joined import Joined, joined
from tests.worlds.services import serving

NOBODY = "http://127.0.0.1:9"
TARGETS = ("registry", "provisioner", "whitelist")
DEFECTS = {StatusCode.INTERNAL, StatusCode.UNKNOWN, StatusCode.UNIMPLEMENTED}
DEFECT = "by a defect"  # what a log says of one, whatever its caller was told
EXAMPLES = int(os.environ.get("KITE_TEST_FUZZ_EXAMPLES", "12"))
ENOUGH = 3  # messages of a stream
SECONDS = 3.0

pytestmark = pytest.mark.timeout(300 + 20 * EXAMPLES)
OFTEN = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
KEYS = st.from_regex(r"[a-z][a-z0-9_-]{0,12}", fullmatch=True).filter(
    lambda key: not key.startswith(("grpc-", "te")) and not key.endswith("-bin")
)
ASCII = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=40)
METADATA = st.lists(
    st.tuples(KEYS, ASCII)
    | st.tuples(KEYS.map(lambda key: f"{key}-bin"), st.binary(max_size=40))
    | st.tuples(st.just("kite-request-id"), ASCII)
    | st.tuples(st.just("kite-request-id-bin"), st.binary(max_size=40))
    | st.tuples(st.just("kite-failure-bin"), st.binary(max_size=40)),
    max_size=4,
)
TIMEOUTS = st.sampled_from([SECONDS, SECONDS, 0.000_001, 0.0, -1.0, 1e-9])
UNKNOWN_FIELDS = st.sampled_from(
    [b"", b"\xfa\x7f\x03abc", b"\xf8\x7f\x96\x01", b"\xff" * 20, b"\x0a\xff\xff\xff\xff\x0f"]
)


@pytest.fixture(scope="module")
def services(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("services"), NOBODY) as found:
        yield found
        # gRPC's own complaint about a caller who left in the middle of an answer is none.
        assert DEFECT not in found.log.read_text()


@pytest.fixture(scope="module")
def channels(services):
    opened = {name: grpc.insecure_channel(services.targets[name]) for name in TARGETS}
    yield opened
    for channel in opened.values():
        channel.close()


def call(channel: grpc.Channel, method: Method, raw: bytes, metadata=(), timeout=SECONDS):
    """Status of one call of raw bytes; None = it went well."""
    if not method.streams:
        try:
            channel.unary_unary(method.path)(raw, metadata=metadata, timeout=timeout)
        except grpc.RpcError as failed:
            return failed.code()
        return None
    answers = channel.unary_stream(method.path)(raw, metadata=metadata, timeout=min(timeout, 0.05))
    try:
        for _ in range(ENOUGH):
            next(answers)
    except StopIteration:
        return None
    except grpc.RpcError as failed:
        return failed.code()
    finally:
        answers.cancel()
    return None


def check(channel: grpc.Channel, method: Method, raw: bytes, metadata=(), timeout=SECONDS) -> None:
    status = call(channel, method, raw, metadata, timeout)
    assert status not in DEFECTS, f"{method} answered {status} to {raw[:200]!r}"


def all_methods(services, name: str) -> list[Method]:
    found = methods(services.targets[name])
    assert found
    return found


def is_serving(channel: grpc.Channel) -> bool:
    answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=5)
    return answer.status == health_pb2.HealthCheckResponse.SERVING


def often(act: Callable[..., None], *strategies: st.SearchStrategy) -> None:
    """Act on many examples."""

    @OFTEN
    @given(st.tuples(*strategies))
    def each(example):
        act(*example)

    each()


@pytest.mark.parametrize("name", TARGETS)
def test_messages_of_any_content(services, channels, name):
    for method in all_methods(services, name):
        sent = partial(check, channels[name], method)
        often(sent, messages(method.request).map(_raw), METADATA, TIMEOUTS)
    assert is_serving(channels[name])


@pytest.mark.parametrize("name", TARGETS)
def test_bytes_that_are_no_message(services, channels, name):
    for method in all_methods(services, name):
        often(partial(check, channels[name], method), st.binary(max_size=200))
        broken = {call(channels[name], method, raw) for raw in (b"\xff", b"\x0a\xff\xff\xff\x0f")}
        assert broken == {StatusCode.INVALID_ARGUMENT}
    assert is_serving(channels[name])


@pytest.mark.parametrize("name", TARGETS)
def test_messages_that_were_damaged(services, channels, name):
    for method in all_methods(services, name):
        whole = messages(method.request).map(_raw)
        damaged = st.builds(_damaged, whole, st.integers(0, 40), UNKNOWN_FIELDS)
        often(partial(check, channels[name], method), damaged)
    assert is_serving(channels[name])


@pytest.mark.parametrize("name", TARGETS)
def test_a_message_larger_than_is_taken(services, channels, name):
    method = next(one for one in all_methods(services, name) if not one.streams)
    status = call(channels[name], method, b"\x0a" + b"\xff\xff\xff\x07" + b"x" * (16 << 20))
    assert status is StatusCode.RESOURCE_EXHAUSTED
    assert is_serving(channels[name])


def _raw(message) -> bytes:
    return message.SerializeToString()


def _damaged(whole: bytes, cut: int, tail: bytes) -> bytes:
    return whole[: max(0, len(whole) - cut)] + tail


@pytest.mark.parametrize("name", TARGETS)
def test_calls_that_go_away(services, channels, name):
    """Hundreds begun and cancelled; the service forgets them."""
    found = all_methods(services, name)
    begun = [
        channels[name].unary_unary(method.path).future(b"", timeout=SECONDS)
        for method in found
        if not method.streams
        for _ in range(100 // len(found))
    ]
    for one in begun:
        one.cancel()
    for one in begun:
        with suppress(grpc.RpcError, grpc.FutureCancelledError):
            one.result(timeout=10)
    assert is_serving(channels[name])


def test_the_provisioner_with_ec2(tmp_path, one_ec2):
    """Beyond the first refusal: EC2 answers what a sweep, a survey and offers ask."""
    api, _ = one_ec2
    api.reset()
    plain = client(api.internal_endpoint)
    site = {
        "KITE_REGION": "us-east-1",
        "KITE_PROVISIONER_IMAGE_ID": plain.describe_images()["Images"][0]["ImageId"],
        "KITE_PROVISIONER_SUBNETS": plain.describe_subnets()["Subnets"][0]["SubnetId"],
    }
    with serving(tmp_path, api.endpoint, **site) as found:
        with grpc.insecure_channel(found.targets["provisioner"]) as channel:
            for method in methods(found.targets["provisioner"]):
                sent = partial(check, channel, method)
                often(sent, messages(method.request).map(_raw))
            assert is_serving(channel)
        assert DEFECT not in found.log.read_text()
    asked = {one.action for one in api.calls.all()}
    assert {"DescribeInstances", "DescribeVolumes", "DescribeInstanceTypeOfferings"} <= asked


async def test_the_whitelist_service_with_ec2_and_a_cluster(tmp_path, one_ec2, monkeypatch, capfd):
    """Beyond the first refusal: a cluster of that name is there, and EC2 answers."""
    api, _ = one_ec2
    api.reset()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "kite")
    async with joined(tmp_path, api.endpoint) as served:
        await asyncio.to_thread(_fuzz_whitelist, served)
    assert DEFECT not in "".join(capfd.readouterr())


def _fuzz_whitelist(served: Joined) -> None:
    made = registry_pb2.CreateClusterRequest(
        user="alice", milvus_name="search-cats", milvus_type="M5", disk_gib=50
    )
    with grpc.insecure_channel(served.registry) as registry:
        records = registry_pb2_grpc.RegistryServiceStub(registry)
        known = records.CreateCluster(made, timeout=SECONDS).cluster
    with grpc.insecure_channel(served.whitelist) as channel:
        for method in methods(served.whitelist):
            fields = set(method.request.DESCRIPTOR.fields_by_name)
            named = {"user": "alice", "milvus_name": "search-cats", "cluster_id": known.cluster_id}
            there = method.request(**{key: named[key] for key in fields & named.keys()})
            sent = messages(method.request).map(partial(_with, there))
            often(partial(check, channel, method), sent.map(_raw))
        assert is_serving(channel)


def _with(there, message):
    message.MergeFrom(there)
    return message
