"""The BFF as a process of its own, in front of services that only pretend."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.edge import http
from tests.edge.conftest import SECRET, Behind, start_behind

ROOT = Path(__file__).parents[2]
EVENTS = "/v1/clusters/{name}/events"


@dataclass
class EdgeProcess:
    """Figures are read from outside: /proc, and the lines that it writes.

    Attributes:
        ended: event streams that are over, by user.
    """

    port: int
    pid: int
    behind: Behind
    ended: Counter[str] = field(default_factory=Counter)

    @property
    def mib(self) -> float:
        """Resident memory."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        kib = next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))
        return round(kib / 1024, 1)

    @property
    def files(self) -> int:
        """Open files, connections among them."""
        return sum(1 for _ in Path(f"/proc/{self.pid}/fd").iterdir())

    async def ask(self, method: str, target: str, user: str, body: object = None) -> http.Answer:
        return await http.raw(self.port, http.request(method, target, body, user=user))

    def note(self, line: Mapping[str, object]) -> None:
        if line.get("route") == EVENTS and line.get("status") in {200, 499}:
            self.ended[str(line["user"])] += 1


@asynccontextmanager
async def edge_process(settings: Mapping[str, str]) -> AsyncIterator[EdgeProcess]:
    """Start it with these settings beside the least it needs; it must end well."""
    behind = await start_behind()
    env = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "KITE_ENV_FILE": os.devnull,
        "KITE_LOG_FORMAT": "json",
        "KITE_SECRET": SECRET,
        "KITE_BFF_LISTEN": "127.0.0.1:0",
        "KITE_REGISTRY": f"127.0.0.1:{behind.registry}",
        "KITE_WHITELIST": f"127.0.0.1:{behind.whitelist}",
        "KITE_PROVISIONER": f"127.0.0.1:{behind.provisioner}",
        **settings,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bff", env=env, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    line: dict[str, object] = {}
    while line.get("event") != "ready":
        line = json.loads(await process.stdout.readline())
    edge = EdgeProcess(int(str(line["listen"]).rpartition(":")[2]), process.pid, behind)
    reading = asyncio.create_task(_read(process.stdout, edge))
    try:
        yield edge
    finally:
        process.terminate()
        await reading
        assert await process.wait() == 0
        for server in behind.servers.values():
            await server.drain(0)


async def _read(lines: asyncio.StreamReader, edge: EdgeProcess) -> None:
    async for line in lines:
        edge.note(json.loads(line))
