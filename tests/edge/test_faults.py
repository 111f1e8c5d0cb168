"""What goes wrong behind the edge keeps its name; what goes wrong in it is told by id only."""

import asyncio

import grpc
import pytest

from bff.edge.failures import STATUS
from bff.routes.route import BACKENDS
from kite import errors
from tests.edge import http
from tests.edge.conftest import Behind, Edge, start_behind, start_edge

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def test_every_kind_of_failure_has_a_status():
    assert set(STATUS) == set(errors.KINDS.values())


@pytest.mark.parametrize("kind", list(STATUS))
async def test_a_failure_behind_gets_its_status_and_keeps_its_reason(edge: Edge, kind):
    edge.world.fail_next = [kind("in words", context={"operation-id": "op-7"})] * 5
    answer = await edge.ask("GET", "/v1/plans")
    assert answer.status == STATUS[kind]
    assert answer.headers["x-request-id"] == answer.json["request-id"]
    if answer.status == 500:
        assert (answer.json["reason"], "in words" in answer.body.decode()) == ("INTERNAL", False)
    elif answer.status == 404:
        assert answer.reason == "NO_SUCH_CLUSTER"
    else:
        assert answer.json["reason"] == kind.default_reason
        assert answer.json["operation-id"] == "op-7"
    assert ("retry-after" in answer.headers) is (answer.status in {429, 503, 504})


async def test_advice_when_to_try_again_comes_through(edge: Edge):
    edge.world.fail_next = [errors.CloudThrottled("slow", retry_after=17)] * 5
    answer = await edge.ask("GET", "/v1/plans")
    assert (answer.status, answer.headers["retry-after"]) == (503, "17")
    assert answer.json["retryable"] is True


async def test_services_that_are_away_are_503_and_not_ready():
    behind = await start_behind()
    for server in behind.servers.values():
        await server.drain(0)
    edge = await start_edge(behind)
    answer = await edge.ask("GET", "/v1/plans")
    ready = await edge.ask("GET", "/readyz", user=None)
    alive = await edge.ask("GET", "/healthz", user=None)
    await edge.running.stop()
    assert (answer.status, answer.reason) == (503, "UNAVAILABLE")
    assert (alive.status, ready.status) == (200, 503)
    assert set(ready.json["services"].values()) == {"away"}


async def test_ready_names_the_service_that_drains(behind: Behind, edge: Edge):
    up = await edge.ask("GET", "/readyz", user=None)
    await behind.servers["provisioner"].set_serving(serving=False)
    one_away = await edge.ask("GET", "/readyz", user=None)
    await behind.servers["provisioner"].set_serving(serving=True)
    assert (up.status, one_away.status) == (200, 503)
    assert one_away.json["services"] == {
        "registry": "serving",
        "whitelist": "serving",
        "provisioner": "away",
    }


async def test_a_service_that_hangs_is_504(behind: Behind):
    edge = await start_edge(behind, bff_request_seconds=0.2)
    edge.world.clear()
    edge.world.hang = True
    answer = await edge.ask("GET", "/v1/plans")
    edge.world.hang = False
    await edge.running.stop()
    assert (answer.status, answer.reason) == (504, "DEADLINE_PASSED")
    # Said by the edge itself, not by the call's own, much longer deadline.
    assert answer.json["description"] == "the services behind took too long; ask again"


async def test_a_defect_of_ours_tells_nothing_but_its_id(behind: Behind):
    edge = await start_edge(behind)
    object.__setattr__(edge.running.runner.app[BACKENDS], "registry", "broken")
    answer = await edge.ask("GET", "/v1/plans")
    await edge.running.stop()
    assert (answer.status, answer.reason) == (500, "INTERNAL")
    assert "broken" not in answer.body.decode()


async def test_a_request_id_is_carried_on_when_it_is_fit(edge: Edge):
    mine = await edge.ask("GET", "/healthz", headers=[("X-Request-Id", "mine-1")])
    assert mine.headers["x-request-id"] == "mine-1"
    for unfit in ("a b", "x" * 65, "ä"):
        other = await edge.ask("GET", "/healthz", headers=[("X-Request-Id", unfit)])
        assert other.headers["x-request-id"].startswith("req-")


async def test_the_request_id_reaches_the_records(edge: Edge):
    await edge.create(headers=[("X-Request-Id", "mine-1")])
    operation_id = next(iter(edge.world.operations))
    answer = await edge.ask("GET", f"/v1/operations/{operation_id}")
    assert answer.json["request-id"] == "mine-1"


async def test_every_answer_carries_its_safety_headers(edge: Edge):
    for target in ("/healthz", "/v1/clusters", "/nothing"):
        headers = (await edge.ask("GET", target)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert "username" in headers["vary"]
        assert headers["server"] == "kite"


async def test_head_is_answered_as_get_without_a_body(edge: Edge):
    reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
    writer.write(http.request("HEAD", "/healthz", user=None))
    head = await reader.read()
    writer.close()
    await writer.wait_closed()
    assert head.startswith(b"HTTP/1.1 200")
    assert head.endswith(b"\r\n\r\n")


async def test_too_many_of_one_user_leave_room_for_others(behind: Behind):
    edge = await start_edge(behind, bff_concurrent_per_user=1, bff_concurrent=2)
    edge.world.clear()
    edge.world.hang = True
    held = [
        asyncio.create_task(edge.ask("GET", "/v1/plans", user=user)) for user in ("alice", "bob")
    ]
    await edge.world.until(lambda: len(edge.world.asked) == 2)
    edge.world.hang = False
    mine = await edge.ask("GET", "/v1/source-ip", user="alice")
    for task in held:
        task.cancel()
    await asyncio.gather(*held, return_exceptions=True)
    await edge.running.stop()
    assert (mine.status, mine.reason) == (503, "BUSY")


async def test_an_address_taken_is_told(edge: Edge, behind: Behind):
    with pytest.raises(OSError, match="in use"):
        await start_edge(behind, bff_listen=f"127.0.0.1:{edge.port}")


async def test_nothing_is_left_open_behind_a_stopped_edge(behind: Behind):
    edge = await start_edge(behind)
    channel = edge.running.runner.app[BACKENDS].channels["registry"]
    await edge.running.stop()
    assert channel.get_state() == grpc.ChannelConnectivity.SHUTDOWN
