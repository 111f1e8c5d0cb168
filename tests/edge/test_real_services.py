"""The edge in front of the real registry and the real whitelist service on the strict EC2."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import pytest
import pytest_asyncio

from kite.rpc.client import connect
from kite.v1 import (
    cluster_pb2,
    controller_pb2,
    controller_pb2_grpc,
    operation_pb2,
    registry_pb2,
    registry_pb2_grpc,
)
from tests.edge import cases, catalogue, http
from tests.worlds.joined import joined
from tests.worlds.no_machines import no_machines

pytestmark = pytest.mark.asyncio(loop_scope="package")
USERS = itertools.count()
A = {"source-ip": "115.236.166.154/32", "port-type": "miluvs-port"}


@dataclass
class Real:
    port: int
    registry_at: str
    controller: controller_pb2_grpc.ControllerServiceAsyncStub
    registry: registry_pb2_grpc.RegistryServiceAsyncStub

    async def ask(self, method: str, target: str, body: object = None, **how) -> http.Answer:
        return await http.raw(self.port, http.request(method, target, body, **how))


@pytest.fixture(scope="module")
def ec2(one_ec2) -> Iterator[str]:
    api, _ = one_ec2
    api.reset()
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "kite")
        yield api.endpoint


@pytest_asyncio.fixture(loop_scope="package", scope="module")
async def real(tmp_path_factory, ec2: str) -> AsyncIterator[Real]:
    folder = tmp_path_factory.mktemp("registry")
    async with joined(folder, ec2, bff_disabled_users="mallory") as served:
        channel = connect(served.registry, name="registry")
        yield Real(
            served.port,
            served.registry,
            controller_pb2_grpc.ControllerServiceStub(channel),
            registry_pb2_grpc.RegistryServiceStub(channel),
        )
        await channel.close()


@pytest.fixture
def user() -> str:
    return f"user-{next(USERS)}"


@pytest.mark.parametrize("case", catalogue.ALL, ids=str)
async def test_the_catalogue_holds_with_the_real_services(real: Real, user: str, case: cases.Case):
    before = case not in (*catalogue.CREATE, *catalogue.READS)
    if before:
        await real.ask("POST", "/v1/clusters", cases.GOOD, user=user)
    data = case.data.replace(b"username: alice\r\n", f"username: {user}\r\n".encode())
    answer = await http.raw(real.port, data)
    assert (answer.status, answer.json["reason"]) == (case.status, case.reason), answer.json
    assert len((await real.ask("GET", "/v1/clusters", user=user)).json["clusters"]) == before


async def test_create_read_list_delete(real: Real, user: str):
    created = await real.ask("POST", "/v1/milvus", cases.GOOD, user=user)
    again = await real.ask("POST", "/v1/milvus", cases.GOOD, user=user)
    assert (created.status, again.status) == (202, 200)
    assert ("credentials" in created.json, "credentials" in again.json) == (True, False)
    read = await real.ask("GET", "/v1/clusters/search-cats", user=user)
    assert (read.json["username"], read.json["disk-size"]) == (user, 50)
    operation = await real.ask("GET", created.headers["location"], user=user)
    assert (operation.json["type"], operation.json["status"]) == ("create-cluster", "pending")
    story = await real.ask("GET", "/v1/clusters/search-cats/events", user=user)
    assert story.json["events"]
    deleted = await real.ask("DELETE", "/v1/milvus?milvus-name=search-cats", user=user)
    assert (deleted.status, deleted.json["status"]) == (202, "deleting")
    taken = await real.ask("POST", "/v1/milvus", cases.GOOD, user=user)
    assert (taken.status, taken.reason) == (409, "CLUSTER_DELETING")


async def test_twenty_creates_at_once_are_one_cluster(real: Real, user: str):
    answers = await asyncio.gather(
        *(real.ask("POST", "/v1/milvus", cases.GOOD, user=user) for _ in range(20))
    )
    assert sorted(answer.status for answer in answers) == [200] * 19 + [202]
    assert sum("credentials" in answer.json for answer in answers) == 1
    assert len({answer.json["operation-id"] for answer in answers}) == 1


async def test_other_bodies_and_keys_are_told_apart(real: Real, user: str):
    key = [("Idempotency-Key", f"key-of-{user}")]
    await real.ask("POST", "/v1/clusters", cases.GOOD, user=user, headers=key)
    bigger = {**cases.GOOD, "disk-size": 51}
    taken = await real.ask("POST", "/v1/clusters", bigger, user=user)
    assert (taken.status, taken.reason) == (409, "NAME_TAKEN")
    other = {**cases.GOOD, "milvus-name": "other-cats"}
    reused = await real.ask("POST", "/v1/clusters", other, user=user, headers=key)
    assert (reused.status, reused.reason) == (422, "IDEMPOTENCY_KEY_REUSED")


async def test_a_full_quota_is_told(real: Real, user: str):
    for number in range(5):
        body = {**cases.GOOD, "milvus-name": f"cats-{number}"}
        assert (await real.ask("POST", "/v1/clusters", body, user=user)).status == 202
    over = await real.ask("POST", "/v1/clusters", cases.GOOD, user=user)
    assert (over.status, over.reason) == (403, "QUOTA_EXCEEDED")
    first = (await real.ask("GET", "/v1/clusters?page-size=3", user=user)).json
    token = first["next-page-token"]
    rest = await real.ask("GET", f"/v1/clusters?page-size=3&page-token={token}", user=user)
    names = [one["milvus-name"] for one in first["clusters"] + rest.json["clusters"]]
    assert names == [f"cats-{number}" for number in range(5)]


async def test_a_stale_revision_is_refused(real: Real, user: str):
    await real.ask("POST", "/v1/clusters", cases.GOOD, user=user)
    read = await real.ask("GET", "/v1/clusters/search-cats", user=user)
    stale = [("If-Match", '"999"')]
    fresh = [("If-Match", read.headers["etag"])]
    path = "/v1/clusters/search-cats"
    refused = await real.ask("DELETE", path, user=user, headers=stale)
    assert (refused.status, refused.reason) == (412, "REVISION_MISMATCH")
    assert (await real.ask("DELETE", path, user=user, headers=fresh)).status == 202


async def test_a_whitelist_at_birth_is_canonical(real: Real, user: str):
    body = {**cases.GOOD, "ip-ranges": [{**A, "source-ip": "115.236.166.154"}, A]}
    created = await real.ask("POST", "/v1/clusters", body, user=user)
    assert created.status == 202
    assert not any("nobody" in notice for notice in created.json["notices"])
    asked = registry_pb2.GetClusterRequest(user=user, milvus_name="search-cats")
    rules = (await real.registry.GetCluster(asked)).cluster.whitelist.rules
    assert [rule.source_ip for rule in rules] == ["115.236.166.154/32"]


async def test_a_whitelist_is_kept_until_there_is_a_group(real: Real, user: str):
    await real.ask("POST", "/v1/milvus", cases.GOOD, user=user)
    never_set = await real.ask("GET", "/v1/whitelist?milvs-name=search-cats", user=user)
    assert ("etag" in never_set.headers) is (never_set.json["revision"] > 0)
    body = {"milvus-name": "search-cats", "ip-ranges": [A]}
    put = await real.ask("PUT", "/v1/whitelist", body, user=user)
    assert (put.status, put.json["ip-ranges"]) == (200, [A])
    assert any("no security group yet" in notice for notice in put.json["notices"])
    got = await real.ask("GET", "/v1/whitelist?milvs-name=search-cats", user=user)
    assert got.json["ip-ranges"] == [A]
    stale = [("If-Match", '"99"')]
    path = "/v1/clusters/search-cats/whitelist"
    refused = await real.ask("PUT", path, {"ip-ranges": []}, user=user, headers=stale)
    assert (refused.status, refused.reason) == (412, "REVISION_MISMATCH")
    fresh = [("If-Match", got.headers["etag"])]
    emptied = await real.ask("PUT", path, {"ip-ranges": []}, user=user, headers=fresh)
    assert (emptied.status, emptied.json["ip-ranges"]) == (200, [])
    done = await real.ask("GET", f"/v1/operations/{emptied.json['operation-id']}", user=user)
    assert (done.json["type"], done.json["status"]) == ("set-whitelist", "succeeded")
    await real.ask("DELETE", "/v1/milvus", {"milvus-name": "search-cats"}, user=user)
    late = await real.ask("PUT", path, {"ip-ranges": [A]}, user=user)
    assert (late.status, late.reason) == (409, "CLUSTER_DELETING")


async def test_an_operation_is_held_until_the_loop_ends_it(real: Real, user: str):
    body = cases.GOOD
    held = asyncio.create_task(real.ask("POST", "/v1/clusters?wait=30", body, user=user))
    while (await real.ask("GET", "/v1/clusters", user=user)).json["clusters"] == []:  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    cluster_id = await _run_to_the_end(real, user)
    answer = await held
    assert (answer.status, answer.json["milvus-url"]) == (201, "host.test")
    document = (await real.ask("GET", "/v1/clusters/search-cats", user=user)).json
    assert (document["cluster-id"], document["status"]) == (cluster_id, "running")


async def _run_to_the_end(real: Real, user: str) -> str:
    claim = controller_pb2.ClaimRequest(holder="test", most=100, lease_seconds=30)
    mine = None
    while mine is None:  # other tests left clusters that are due as well
        claimed = (await real.controller.Claim(claim)).claimed
        mine = next((one for one in claimed if one.cluster.user == user), None)
    operation = mine.operation
    operation.state = operation_pb2.OPERATION_STATE_SUCCEEDED
    status = cluster_pb2.ClusterStatus(
        state=cluster_pb2.CLUSTER_STATE_RUNNING, milvus_url="host.test", milvus_port="19530"
    )
    await real.controller.Commit(
        controller_pb2.CommitRequest(
            holder="test",
            cluster_id=mine.cluster.cluster_id,
            fence=mine.fence,
            status=status,
            operation=operation,
            release=True,
        )
    )
    return mine.cluster.cluster_id


async def test_a_reader_and_a_listener_follow_a_whole_life(real: Real, user: str):
    """The registry's own watch wakes both: nothing here is asked for twice a second."""
    path = "/v1/clusters/search-cats"
    await real.ask("POST", "/v1/clusters", cases.GOOD, user=user)
    held = asyncio.create_task(real.ask("GET", f"{path}?wait=60", user=user))
    reader, writer = await asyncio.open_connection("127.0.0.1", real.port)
    live = [("Accept", "text/event-stream")]
    writer.write(http.request("GET", f"{path}/events", headers=live, user=user))
    async with asyncio.timeout(120):
        await reader.readuntil(b"event: ClusterCreated\n")
        async with no_machines(real.registry_at):
            assert (await held).json["status"] == "running"
            await reader.readuntil(b"event: NodeRunning\n")
            await real.ask("DELETE", path, user=user)
            await reader.readuntil(b"event: ClusterDeleting\n")
            await reader.readuntil(b"event: end\n")
            assert b"CLUSTER_DELETED" in await reader.readuntil(b"\n\n")
            await reader.read()
    writer.close()
    await writer.wait_closed()
    assert (await real.ask("GET", path, user=user)).status == 404
