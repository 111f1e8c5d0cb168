"""A Milvus user on a machine of their own: the client program inside a client's namespace."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

PROGRAM = Path(__file__).with_name("milvus_client.py")


class Visitor:
    """One running client program; its imports are done before it is needed."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self._process = subprocess.Popen(
            ("ip", "netns", "exec", namespace, sys.executable, "-I", str(PROGRAM)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._greeted = False

    def start(self, do: str, url: str, password: str, *, timeout: float = 10) -> None:
        """Give the order; `answer` waits for what came of it."""
        order = {"do": do, "url": url, "port": "19530", "password": password, "timeout": timeout}
        stdin = self._process.stdin
        assert stdin is not None
        stdin.write(json.dumps(order) + "\n")
        stdin.flush()

    def answer(self) -> dict[str, Any]:
        if not self._greeted:
            self._line()
            self._greeted = True
        return self._line()

    def ask(self, do: str, url: str, password: str, *, timeout: float = 10) -> dict[str, Any]:
        self.start(do, url, password, timeout=timeout)
        return self.answer()

    def _line(self) -> dict[str, Any]:
        stdout = self._process.stdout
        assert stdout is not None
        line = stdout.readline()
        if not line:
            raise RuntimeError(f"the client program in {self.namespace} ended")
        got: dict[str, Any] = json.loads(line)
        return got

    def close(self) -> None:
        if self._process.stdin:
            self._process.stdin.close()
        try:
            self._process.wait(3)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()
