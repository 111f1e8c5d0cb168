"""The MongoDB-protocol server of the store tests: a process of its own, an empty folder, loopback.

`deploy/setup.sh wire` makes its environment; it is never imported by the product.
"""

import socket
import subprocess
import time
from pathlib import Path

import pymongo
import pymongo.errors

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / ".wire" / "bin" / "secantusd-py"


def ensure_program():
    if not PROGRAM.exists():
        subprocess.run([ROOT / "deploy" / "setup.sh", "wire"], check=True, cwd=ROOT, timeout=280)
    assert PROGRAM.exists(), "deploy/setup.sh wire made no MongoDB-protocol server"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """One server over one folder; may be killed and started again on the same port."""

    def __init__(self, folder, *more):
        self.folder = folder
        self.more = more  # arguments
        self.port = free_port()
        self.process = None

    @property
    def uri(self):
        return (
            f"mongodb://127.0.0.1:{self.port}/?retryWrites=false&w=majority&journal=true"
            "&serverSelectionTimeoutMS=3000"
        )

    def start(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder.parent / f"{self.folder.name}.log").open("ab") as log:
            where = ["--host", "127.0.0.1", "--port", str(self.port)]
            self.process = subprocess.Popen(
                [
                    PROGRAM,
                    *where,
                    "--storage-path",
                    self.folder,
                    "--log-level",
                    "WARNING",
                    *self.more,
                ],
                stdout=log,
                stderr=log,
            )
        client = pymongo.MongoClient(self.uri)
        limit = time.monotonic() + 30
        while True:
            try:
                client.kite.probe.find_one()
                break
            except pymongo.errors.ConnectionFailure:
                assert self.process.poll() is None, "the MongoDB-protocol server ended"
                assert time.monotonic() < limit, "the MongoDB-protocol server does not answer"
        client.close()
        return self

    def kill(self):
        self.process.kill()
        self.process.wait(10)

    def stop(self):
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()
