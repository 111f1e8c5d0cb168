"""A Milvus user's program: the released pymilvus, no change, driven by JSON lines on its input.

Runs inside a client's namespace. Commands: {"do": "search"|"knock"|"again", "url", "port",
"password", "timeout"}; each answers one JSON line {"ok", "seconds", ...}. A knock also tells how
plain TCP fares there ("tcp"), so that a wall of silence is not taken for a missing name or server.
"""

from __future__ import annotations

import json
import logging
import random
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import Any

import pymilvus

DIMENSION, ROWS, NAME = 16, 1000, "cats"
_open: dict[str, pymilvus.MilvusClient] = {}


def _connect(order: dict[str, Any]) -> pymilvus.MilvusClient:
    return pymilvus.MilvusClient(
        uri=f"http://{order['url']}:{order['port']}",
        token=f"root:{order['password']}",
        timeout=order["timeout"],
    )


def knock(order: dict[str, Any]) -> dict[str, Any]:
    """Connect and ask for the version, and beside it how plain TCP fares."""
    with ThreadPoolExecutor() as pool:
        tcp = pool.submit(_tcp, order)
        try:
            answer = {"version": _connect(order).get_server_version()}
        except pymilvus.MilvusException as refused:
            answer = _refusal(refused)
        return {**answer, "tcp": tcp.result()}


def _tcp(order: dict[str, Any]) -> str:
    """How a plain connection fares: `open`, `silence`, or what the machine said."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            order["url"], int(order["port"]), type=socket.SOCK_STREAM
        )[0]
        with socket.socket(family, kind, protocol) as plain:
            plain.settimeout(order["timeout"])
            plain.connect(address)
    except TimeoutError:
        return "silence"
    except OSError as said:
        return str(said)
    return "open"


def search(order: dict[str, Any]) -> dict[str, Any]:
    """The whole use of a vector database: create, insert, index, load, search."""
    client = _open["client"] = _connect(order)
    client.create_collection(NAME, dimension=DIMENSION, consistency_level="Strong")
    dice = random.Random(7)  # noqa: S311 - sample data, not a secret
    rows = [{"id": i, "vector": [dice.random() for _ in range(DIMENSION)]} for i in range(ROWS)]
    client.insert(NAME, rows)
    return _look(client, rows[42]["vector"])


def _look(client: pymilvus.MilvusClient, vector: Any) -> dict[str, Any]:
    hits = client.search(NAME, data=[vector], limit=3)[0]
    return {"hits": [hit["id"] for hit in hits]}


def again(_order: dict[str, Any]) -> dict[str, Any]:
    """Search once more over the connection that is open already."""
    return _look(_open["client"], [0.5] * DIMENSION)


DOINGS = {"knock": knock, "search": search, "again": again}


def _refusal(refused: pymilvus.MilvusException) -> dict[str, Any]:
    return {"ok": False, "why": str(refused)[:200]}


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def main() -> None:
    logging.disable(logging.CRITICAL)  # pymilvus logs every refused call with a full trace
    _say({"ok": True, "pymilvus": pymilvus.__version__})
    for line in sys.stdin:
        order = json.loads(line)
        start = monotonic()
        try:
            answer = {"ok": True, **DOINGS[order["do"]](order)}
        except pymilvus.MilvusException as refused:
            answer = _refusal(refused)
        _say({**answer, "seconds": round(monotonic() - start, 2)})


if __name__ == "__main__":
    main()
