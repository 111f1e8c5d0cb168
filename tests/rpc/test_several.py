"""One channel to several processes of a service: they take turns, and one that dies is left out."""

import asyncio
from typing import Any

from kite.rpc import client
from kite.rpc.server import RpcServer
from kite.v1 import registry_pb2, registry_pb2_grpc


class Numbered(registry_pb2_grpc.RegistryServiceServicer):
    def __init__(self, number: int) -> None:
        self.number = number

    async def ListPlans(self, request: Any, context: Any) -> Any:
        return registry_pb2.ListPlansResponse(plans=[registry_pb2.Plan(workers=self.number)])


async def serve(number: int) -> tuple[RpcServer, str]:
    server = RpcServer("127.0.0.1:0")
    register = registry_pb2_grpc.add_RegistryServiceServicer_to_server
    server.add(register, Numbered(number), "kite.v1.RegistryService")
    return server, f"127.0.0.1:{await server.start()}"


async def test_they_take_turns_and_the_dead_are_left_out() -> None:
    (first, at), (second, other) = await serve(1), await serve(2)
    async with client.connect(f"{at},{other}", name="registry") as channel:
        stub: Any = registry_pb2_grpc.RegistryServiceStub(channel)

        async def who() -> int:
            return int((await stub.ListPlans(registry_pb2.ListPlansRequest())).plans[0].workers)

        async with asyncio.timeout(30):
            while {await who() for _ in range(8)} != {1, 2}:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await first.drain(0)
        assert {await who() for _ in range(20)} == {2}
        await second.drain(0)


async def test_one_alone_is_named_as_ever() -> None:
    server, at = await serve(3)
    async with client.connect(at, name="registry") as channel:
        stub: Any = registry_pb2_grpc.RegistryServiceStub(channel)
        answer = await stub.ListPlans(registry_pb2.ListPlansRequest())
        assert [plan.workers for plan in answer.plans] == [3]
    await server.drain(0)
