"""The edge as a process of its own."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest

from tests.edge import http

PLAIN = {"PATH": os.environ["PATH"], "PYTHONPATH": str(Path.cwd()), "KITE_LOG_FORMAT": "json"}
GOOD = {"KITE_SECRET": "an install secret of tests", "KITE_BFF_LISTEN": "127.0.0.1:0"}


async def _start(tmp_path, **changes: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bff",
        env={**PLAIN, **GOOD, **changes},
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def _until(process: asyncio.subprocess.Process, event: str) -> tuple[dict, list[dict]]:
    seen: list[dict] = []
    while not seen or seen[-1]["event"] != event:
        seen.append(json.loads(await process.stdout.readline()))
    return seen[-1], seen


async def test_it_says_ready_warns_serves_and_drains(tmp_path):
    process = await _start(tmp_path)
    ready, before = await _until(process, "ready")
    assert any(line["level"] == "warning" and "TRUSTED-HEADER" in line["event"] for line in before)
    port = int(ready["listen"].rpartition(":")[2])
    target = "/nothing%0A%1B%5B31mforged"
    answer = await http.raw(port, http.request("GET", target, user=None))
    assert answer.status == 404
    told, lines = await _until(process, "request")
    assert (told["path"], len(lines)) == ("/nothing\n\x1b[31mforged", 1)
    process.send_signal(signal.SIGTERM)
    assert await process.wait() == 0
    assert await process.stderr.read() == b""


async def test_signed_mode_starts_without_a_warning(tmp_path):
    keys = {"KITE_AUTH": "signed-header", "KITE_BFF_PORTAL_KEYS": f"p={'k' * 32}"}
    process = await _start(tmp_path, **keys)
    _, before = await _until(process, "ready")
    process.send_signal(signal.SIGINT)
    assert await process.wait() == 0
    assert not any(line["level"] == "warning" for line in before)
    assert "kkkk" not in str(before)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"KITE_SECRET": ""}, "KITE_SECRET must be set"),
        ({"KITE_BFF_LISTEN": "0.0.0.0:0"}, "loopback only"),
        ({"KITE_BFF_COLOR": "red"}, "unknown setting"),
        ({"KITE_BFF_LISTEN": "203.0.113.1:1", "KITE_BFF_TRUST_EVERYBODY": "true"}, "203.0.113.1"),
    ],
)
async def test_what_cannot_start_says_why_in_a_line(tmp_path, changes: dict, text: str):
    process = await _start(tmp_path, **changes)
    _, complaint = await process.communicate()
    assert process.returncode in {1, 2}
    assert text in complaint.decode()
    assert len(complaint.decode().splitlines()) == 1
