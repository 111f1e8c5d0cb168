"""What the test asks of a compose project: commands, HTTP inside its namespace, patience."""

import json
import secrets
import subprocess
import sys
import time
from pathlib import Path

from tests.compose.images import BASE
from tests.house.tree import ROOT

ASK = Path(__file__).with_name("ask.py")
FILES = ("-f", "docker-compose.yml", "-f", "deploy/compose.test.yml")
PATIENCE = 240


class Compose:
    """`docker compose` with both files, on the local cloud `cloud`."""

    def __init__(self, engine, namespace, cloud, address):
        self.engine, self.namespace = engine, namespace
        ready = cloud.ready
        self.env = {
            "KITE_SECRET": secrets.token_urlsafe(32),
            "KITE_TEST_BASE": BASE,
            "KITE_TEST_REGION": ready["region"],
            "KITE_TEST_EC2_ENDPOINT": ready["bridge_endpoint"],
            "KITE_TEST_CONTROL_CIDR": f"{address}/32",
            "KITE_TEST_ARTIFACT_URL": ready["tree_url"],
            "KITE_TEST_ARTIFACT_SHA256": ready["tree_sha256"],
            "KITE_TEST_IMAGE": ready["image_id"],
            "KITE_TEST_SUBNET": ready["subnet_id"],
        }

    def __call__(self, *words, check=True):
        return self.engine.docker(
            "compose", "--env-file", "/dev/null", *FILES, *words,
            check=check, env=self.env, cwd=ROOT,
        )  # fmt: skip

    def http(self, method, path, body=None):
        """Status and JSON body of a request to the published port, from inside the namespace."""
        words = [json.dumps(body)] if body is not None else []
        inside = ("nsenter", f"--net=/run/netns/{self.namespace}")
        done = subprocess.run(
            [*inside, sys.executable, ASK, method, f"http://127.0.0.1:8080{path}", *words],
            text=True,
            capture_output=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        status, text = json.loads(done.stdout)
        return status, json.loads(text) if text else {}

    def until(self, ask, what):
        last = time.monotonic() + PATIENCE
        while time.monotonic() < last:
            if found := ask():
                return found
            time.sleep(0.5)
        raise TimeoutError(f"{what} did not happen within {PATIENCE} s\n{self.logs()}")

    def logs(self):
        return self("logs", "--no-color", "--tail", "60", check=False).stdout[-12000:]

    def containers(self):
        """Name of each service to what `docker inspect` says of its container."""
        listed = self("ps", "--all", "--quiet").stdout.split()
        found = json.loads(self.engine.docker("inspect", *listed).stdout)
        return {one["Config"]["Labels"]["com.docker.compose.service"]: one for one in found}
