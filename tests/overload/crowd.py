"""A crowd of users who all create at the same moment, and what each of them is shown."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import aiohttp

ENDED = ("succeeded", "failed", "cancelled")
# What EC2 and our own words for it call a throttled call.
THROTTLING = ("throttl", "requestlimitexceeded", "rate exceeded")
RANGE = {"source-ip": "115.236.166.154/32", "port-type": "milvus-port"}


@dataclass
class Crowd:
    """`users` share `clusters` evenly; `statuses` counts every answer, `shown` is all text seen."""

    url: str
    users: int
    clusters: int
    statuses: Counter = field(default_factory=Counter)
    strange: list[str] = field(default_factory=list)
    throttled: list[str] = field(default_factory=list)

    @property
    def names(self) -> list[tuple[str, str]]:
        return [(f"user-{n % self.users}", f"cats-{n}") for n in range(self.clusters)]

    async def create(self) -> dict[tuple[str, str], str]:
        """All at once; the operation of each."""
        async with self._session() as session:
            told = await asyncio.gather(*(self._create(session, *name) for name in self.names))
        return dict(zip(self.names, told, strict=True))

    async def follow(self, operations: dict[tuple[str, str], str]) -> Counter:
        """Hold on to each operation until it ends; how they ended."""
        async with self._session() as session:
            return Counter(
                await asyncio.gather(
                    *(self._ended(session, user, o) for (user, _), o in operations.items())
                )
            )

    async def whitelist(self) -> None:
        """All set their list at once."""
        async with self._session() as session:
            await asyncio.gather(
                *(
                    self._ask(
                        session,
                        user,
                        "PUT",
                        f"/v1/clusters/{name}/whitelist",
                        {"ip-ranges": [RANGE]},
                    )
                    for user, name in self.names
                )
            )

    async def documents(self) -> list[dict[str, Any]]:
        """Every cluster with its story."""
        found = []
        async with self._session() as session:
            for user, name in self.names:
                found.append(await self._ask(session, user, "GET", f"/v1/clusters/{name}"))
                await self._ask(session, user, "GET", f"/v1/clusters/{name}/events?page-size=250")
        return found

    async def delete(self) -> Counter:
        async with self._session() as session:
            told = await asyncio.gather(
                *(
                    self._ask(session, user, "DELETE", f"/v1/clusters/{name}")
                    for user, name in self.names
                )
            )
        operations = map(_operation, told)
        return await self.follow(dict(zip(self.names, operations, strict=True)))

    async def _create(self, session: aiohttp.ClientSession, user: str, name: str) -> str:
        body = {"milvus-name": name, "milvus-type": "M5", "disk-size": 10}
        return _operation(await self._ask(session, user, "POST", "/v1/milvus", body))

    async def _ended(self, session: aiohttp.ClientSession, user: str, operation: str) -> str:
        while True:
            told = await self._ask(session, user, "GET", f"/v1/operations/{operation}?wait=30")
            if told["status"] in ENDED:
                return told["status"]

    async def _ask(
        self, session: aiohttp.ClientSession, user: str, method: str, path: str, body: object = None
    ) -> dict[str, Any]:
        async with session.request(
            method, self.url + path, json=body, headers={"username": user}
        ) as answer:
            text = await answer.text()
        self.statuses[answer.status] += 1
        if answer.status >= 400:
            self.strange.append(f"{method} {path}: {answer.status} {text[:300]}")
        if any(word in text.lower() for word in THROTTLING):
            self.throttled.append(f"{method} {path}: {text[:2000]}")
        return json.loads(text)

    @staticmethod
    def _session() -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=None)
        )


def _operation(told: dict[str, Any]) -> str:
    """Raises AssertionError with the answer where work was refused."""
    assert "operation-id" in told, told
    return told["operation-id"]
