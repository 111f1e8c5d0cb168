"""Plain HTTP for the cached artifacts and nothing else: pretend hosts have no internet."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address
from pathlib import Path
from typing import ClassVar

from localcloud.artifact import Artifact


class ArtifactServer:
    """Serves some files from a thread. Raises OSError when the port is taken."""

    def __init__(self, artifacts: Sequence[Artifact], address: IPv4Address, port: int = 0) -> None:
        paths = {f"/{one.path.name}": one.path for one in artifacts}
        handler = type("Handler", (_Handler,), {"paths": paths})
        self._server = ThreadingHTTPServer((str(address), port), handler)
        self._place = f"http://{address}:{self._server.server_port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="artifact", daemon=True
        )
        self._thread.start()

    def url(self, artifact: Artifact) -> str:
        """Where hosts fetch it."""
        return f"{self._place}/{artifact.path.name}"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    paths: ClassVar[Mapping[str, Path]]
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        path = self.paths.get(self.path)
        if path is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(path.stat().st_size))
        self.end_headers()
        if body:
            with path.open("rb") as file:
                shutil.copyfileobj(file, self.wfile, 1 << 20)

    def log_message(self, *_: object) -> None:
        """Requests are the hosts' own business."""
