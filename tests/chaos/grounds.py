"""What the services stand on: the strict EC2 alone, or the local cloud with pretend hosts."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from localcloud import cleaning, leftovers
from localcloud.demo import stage
from localcloud.ground import Ground
from tests.chaos import cloud
from tests.chaos.troupe import hostless_settings

GROUND = Ground("kc", 81)
SECONDS = 900.0
"""The first start of a local cloud builds its root and fetches Milvus."""


@dataclass
class Hosted(cloud.Cloud):
    """A local cloud; hosts can lose their power."""

    ground: Ground = GROUND

    def cut(self, instance_id):
        """Kill all that runs on a host at once; it boots again, as after a power cut."""
        ground = self.ground
        place = Path(self.ready["state"], ground.cgroup_folder, ground.cgroup)
        group = place / ground.host_namespace(instance_id) / "cgroup.kill"
        if group.exists():
            group.write_text("1")


def residue(ground=GROUND):
    """What a local cloud left on this machine."""
    return leftovers.find(ground).lines()


@contextmanager
def hosted(folder, say, ground=GROUND):
    """A local cloud on a ground of its own; its end must leave nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    state = (folder / "cloud").absolute()
    argv = [sys.executable, "-m", "localcloud", "serve", "--state", state, "--port=0"]
    env = {**os.environ, "KITE_LOCALCLOUD_GROUND": f"{ground.prefix}:{ground.number}"}
    with (folder / "cloud.log").open("w") as log:
        process = subprocess.Popen(
            argv, cwd=cloud.ROOT, env=env, stdout=subprocess.PIPE, stderr=log, text=True,
            start_new_session=True,
        )  # fmt: skip
    try:
        say("the local cloud comes up")
        line = process.stdout.readline()
        assert line, (folder / "cloud.log").read_text()[-2000:]
        with closing(Hosted(json.loads(line), ground)) as one:
            yield one
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(90)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
        _clear(state, ground)


def _clear(state, ground):
    """What a killed local cloud left; a polite end leaves nothing to do."""
    last = time.monotonic() + 20
    while leftovers.find(ground) and time.monotonic() < last:
        cleaning.sweep(ground)
        time.sleep(0.2)
    cleaning.forget(ground, state)


def hosted_settings(ready, folder):
    """The demo's settings, with waits that end within a chaos."""
    settings = stage.service_settings(ready, folder)
    own = {name for name in settings if name.endswith("_LISTEN")} | {"KITE_INSTALL", "KITE_SECRET"}
    return {n: v for n, v in settings.items() if n not in own} | waits()


def pretended_settings(ready, folder):
    return hostless_settings(ready, folder) | waits()


def waits():
    return {
        "KITE_PROVISIONER_UNSEEN_SECONDS": "20",
        "KITE_PROVISIONER_PENDING_SECONDS": "60",
        "KITE_PROVISIONER_LEASE_SECONDS": "20",
        "KITE_PROVISIONER_LAUNCHES_PER_HOUR": "20",
        "KITE_WHITELIST_MEND_SECONDS": "3",
        "KITE_REGISTRY_CLUSTERS_PER_USER": "200",
        "KITE_LOG_LEVEL": "info",
    }
