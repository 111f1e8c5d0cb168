"""A real browser, driven over its own protocol (Chrome DevTools Protocol); no driver needed."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser")
OPTIONS = (
    "--headless",
    "--no-sandbox",  # CI is root
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--remote-debugging-port=0",
)
_MARK = b"DevTools listening on "


class Page:
    """One tab. `asked` are the URLs it asked for, `complaints` what it said in its console."""

    def __init__(self, wire: aiohttp.ClientWebSocketResponse) -> None:
        self._wire = wire
        self._number = 0
        self._session: str | None = None
        self.asked: list[str] = []
        self.complaints: list[str] = []
        self._loaded = False

    async def open(self, url: str) -> None:
        """Go there and wait until it is loaded."""
        tab = await self._do("Target.createTarget", url="about:blank")
        attached = await self._do("Target.attachToTarget", targetId=tab["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            await self._do(f"{domain}.enable")
        await self._do("Page.navigate", url=url)
        while not self._loaded:
            await self._hear()

    async def run(self, script: str) -> Any:
        """The value of a script, awaited when it is a promise."""
        done = await self._do(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in done, done
        return done["result"].get("value")

    async def _do(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        number = self._number
        message = {"id": number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        await self._wire.send_json(message)
        while (heard := await self._hear()).get("id") != number:
            pass
        assert "error" not in heard, heard
        return heard["result"]

    async def _hear(self) -> dict[str, Any]:
        heard = await self._wire.receive_json(timeout=30)
        match heard.get("method"):
            case "Network.requestWillBeSent":
                self.asked.append(heard["params"]["request"]["url"])
            case "Log.entryAdded":
                self.complaints.append(heard["params"]["entry"]["text"])
            case "Runtime.exceptionThrown" | "Runtime.consoleAPICalled":
                self.complaints.append(str(heard["params"]))
            case "Page.loadEventFired":
                self._loaded = True
        return heard


@asynccontextmanager
async def browsing(folder: Path) -> AsyncIterator[Page]:
    """A browser with a fresh profile below `folder`, until the block ends."""
    started = await asyncio.create_subprocess_exec(
        PROGRAM,
        *OPTIONS,
        f"--user-data-dir={folder / 'profile'}",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env={"HOME": str(folder), "PATH": "/usr/bin:/bin"},
    )
    try:
        line = b""
        while not line.startswith(_MARK):
            line = await started.stderr.readline()
            assert line, "the browser ended before it was ready"
        rest = asyncio.create_task(started.stderr.read())
        address = line.removeprefix(_MARK).decode().strip()
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(address, max_msg_size=0) as wire,
        ):
            yield Page(wire)
    finally:
        started.terminate()
        await started.wait()
        await rest
