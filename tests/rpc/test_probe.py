"""The health probe of the containers says what it sees."""

import asyncio
import socket

import pytest

from kite.rpc import probe
from kite.rpc.server import RpcServer


def taken_port():
    """A port that nobody serves: bound, never listening."""
    held = socket.socket()
    held.bind(("127.0.0.1", 0))
    return held, held.getsockname()[1]


async def ask(port):
    return await asyncio.to_thread(probe.probe, f"127.0.0.1:{port}", seconds=5)


async def test_a_serving_server_is_well_and_a_draining_one_is_not():
    server = RpcServer("127.0.0.1:0")
    port = await server.start()
    assert await ask(port) == ""
    await server.set_serving(serving=False)
    assert await ask(port) == f"127.0.0.1:{port} answered NOT_SERVING"
    await server.drain(0)


async def test_nobody_there_is_said(capsys):
    held, port = taken_port()
    with held:
        code = await asyncio.to_thread(probe.main, [f"127.0.0.1:{port}"])
    assert code == 1
    assert capsys.readouterr().err == f"127.0.0.1:{port} did not answer (unavailable)\n"


@pytest.mark.parametrize("arguments", [[], ["a:1", "b:2"]])
def test_wrong_use_is_told(arguments, capsys):
    assert probe.main(arguments) == 2
    assert "usage" in capsys.readouterr().err
