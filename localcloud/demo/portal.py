"""What a portal does: Kite's HTTP API and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

USER = "milvus-test"


class Refused(Exception):
    """The API said no; the text is its own."""


class Portal:
    """One user's view of the API. Raises Refused with the answer's reason and description."""

    def __init__(self, url: str, user: str = USER) -> None:
        self._http = httpx.Client(base_url=url, headers={"username": user}, timeout=90)

    def close(self) -> None:
        self._http.close()

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        answer = self._http.request(method, path, json=body)
        got: dict[str, Any] = answer.json()
        if answer.is_error:
            raise Refused(f"{answer.status_code} {got.get('reason')}: {got.get('description')}")
        return got

    def create(self, name: str, size: str, disk_gib: int) -> dict[str, Any]:
        body = {"milvus-name": name, "milvus-type": size, "disk-size": disk_gib}
        return self._ask("POST", "/v1/milvus", body)

    def cluster(self, name: str) -> dict[str, Any]:
        return self._ask("GET", f"/v1/clusters/{name}")

    def clusters(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._ask("GET", "/v1/clusters")["clusters"]
        return found

    def operation(self, operation_id: str, *, wait: int = 0) -> dict[str, Any]:
        return self._ask("GET", f"/v1/operations/{operation_id}?wait={wait}")

    def set_whitelist(self, name: str, sources: list[str]) -> dict[str, Any]:
        ranges = [{"source-ip": source, "port-type": "miluvs-port"} for source in sources]
        return self._ask("PUT", "/v1/whitelist", {"milvus-name": name, "ip-ranges": ranges})

    def delete(self, name: str) -> dict[str, Any]:
        return self._ask("DELETE", "/v1/milvus", {"milvus-name": name})
