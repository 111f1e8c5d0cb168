"""A container engine of the test's own, inside a network namespace of the local cloud.

Its data, sockets and firewall are its own; the machine's namespace stays untouched. All of it lies
below one folder and one control group, so that what a killed run left can be found and removed:
`python -m tests.compose.engine clean`.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from tests.compose import plugin

FOLDER = Path("/var/tmp/kite-engine")
GROUP = "kite-engine"
NEEDED = (
    *("dockerd", "docker", "containerd", "runc", "iptables"),
    *("nsenter", "mmdebstrap", "mkfs.xfs"),
)
DISK_BYTES = 16 << 30  # sparse
START_SECONDS, STOP_SECONDS = 60, 30


def lacking():
    """Why no engine can be had here; empty when one can."""
    if sys.platform != "linux":
        return "a container engine needs Linux"
    if os.geteuid() != 0:
        return "a container engine of our own needs root"
    missing = [name for name in NEEDED if shutil.which(name) is None]
    return f"not installed: {', '.join(missing)} (make setup, as root)" if missing else ""


class Engine:
    """A running dockerd in namespace `namespace`; stop() leaves nothing."""

    def __init__(self, namespace, cache):
        clean()
        FOLDER.mkdir(mode=0o700)
        config = FOLDER / "config"
        shutil.copytree(plugin.ensure(cache), config)
        _disk(FOLDER / "disk", FOLDER / "data")
        self.socket = FOLDER / "docker.sock"
        self.env = {
            **os.environ,
            "DOCKER_HOST": f"unix://{self.socket}",
            "DOCKER_CONFIG": str(config),
            "DOCKER_BUILDKIT": "1",
            "BUILDKIT_PROGRESS": "plain",
            "COMPOSE_BAKE": "false",
        }
        with (FOLDER / "dockerd.log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    *("nsenter", f"--net=/run/netns/{namespace}", "dockerd"),
                    *("--host", self.env["DOCKER_HOST"]),
                    *("--data-root", FOLDER / "data", "--exec-root", FOLDER / "exec"),
                    *("--pidfile", FOLDER / "dockerd.pid"),
                    *("--storage-driver", "overlay2", "--cgroup-parent", GROUP),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            self._until_it_answers()
        except BaseException:
            self.stop()
            raise

    def _until_it_answers(self):
        last = time.monotonic() + START_SECONDS
        while self.docker("version", check=False).returncode:
            if self._process.poll() is not None or time.monotonic() > last:
                raise RuntimeError(f"dockerd does not start:\n{self.log()}")
            time.sleep(0.1)

    def log(self):
        return "\n".join((FOLDER / "dockerd.log").read_text().splitlines()[-20:])

    def docker(self, *argv, check=True, seconds=600, **more):
        """Run the docker client; raises with what it said."""
        done = subprocess.run(
            ["docker", *map(str, argv)],
            env={**self.env, **more.pop("env", {})},
            text=True,
            capture_output=True,
            check=False,
            timeout=seconds,
            **more,
        )
        if check and done.returncode:
            said = "\n".join((done.stdout + done.stderr).splitlines()[-40:])
            raise RuntimeError(f"docker {' '.join(map(str, argv))} ended badly:\n{said}")
        return done

    def stop(self):
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        clean()


def _disk(file, folder):
    """A file system of the engine's own: overlays work on it whatever this machine has, and a
    hundred thousand files go with one unmount."""
    folder.mkdir()
    with file.open("wb") as disk:
        disk.truncate(DISK_BYTES)
    for argv in (["mkfs.xfs", "-q", file], ["mount", "-o", "loop", file, folder]):
        subprocess.run(argv, check=True, capture_output=True)


def processes():
    """Ours, by where their files or control groups lie; containers' own included."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (entry / "cmdline").read_bytes()
            groups = (entry / "cgroup").read_text()
            if str(FOLDER).encode() in words or f"/{GROUP}/" in groups:
                found.append(int(entry.name))
    return [pid for pid in found if pid != os.getpid()]


def mounts():
    points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return sorted((one for one in points if one.startswith(f"{FOLDER}/")), key=len, reverse=True)


def groups():
    return [path for path in Path("/sys/fs/cgroup").glob(f"**/{GROUP}") if path.is_dir()]


def leftovers():
    """One line per thing of ours that is still on this machine."""
    found = [f"process {pid}" for pid in processes()]
    found += [f"mount {one}" for one in mounts()]
    found += [f"control group {one}" for one in groups()]
    return found + ([f"folder {FOLDER}"] if FOLDER.exists() else [])


def clean():
    """Remove all of ours. Processes are ended by the folder they work in, never by name."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        last = time.monotonic() + 5
        for pid in processes():
            with suppress(ProcessLookupError):
                os.kill(pid, sign)
        while processes() and time.monotonic() < last:
            time.sleep(0.05)
    for point in mounts():
        if subprocess.run(["umount", point], check=False, capture_output=True).returncode:
            subprocess.run(["umount", "-l", point], check=False)
    for group in groups():
        for path in sorted([group, *group.glob("**/")], key=lambda p: len(p.parts), reverse=True):
            with suppress(OSError):
                path.rmdir()
    shutil.rmtree(FOLDER, ignore_errors=True)


if __name__ == "__main__":
    clean()
    sys.exit("\n".join(leftovers()) or 0)
