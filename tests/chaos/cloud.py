"""The strict EC2 for a troupe: started, asked, stopped."""

import json
import subprocess
import sys
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import httpx

from localcloud.strict.inproc import client

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Cloud:
    """An EC2 that answers; `ready` is its first line."""

    ready: dict[str, str]

    @cached_property
    def ec2(self):
        """A client of our own, which no fault of the script meets for long."""
        endpoint = self.ready.get("plain", self.ready["endpoint"])
        return client(endpoint, retries={"total_max_attempts": 5})

    def close(self):
        if "ec2" in vars(self):
            self.ec2.close()

    def control(self, method, path, body=None):
        url = f"{self.ready['endpoint']}/_kite/{path}"
        return httpx.request(method, url, json=body, timeout=10).raise_for_status().json()

    def calls(self, action):
        """Successful calls of one action so far."""
        found = self.control("GET", f"calls?action={action}")["calls"]
        return [one for one in found if one["code"] == "OK"]


@contextmanager
def running(folder, module="tests.chaos.ec2", *arguments):
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "ec2.log").open("a") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
        )
    try:
        line = process.stdout.readline()
        assert line, (folder / "ec2.log").read_text()[-3000:]
        with closing(Cloud(json.loads(line))) as cloud:
            yield cloud
    finally:
        process.terminate()
        process.wait(30)
        process.stdout.close()
