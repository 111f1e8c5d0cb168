"""`python -m tests.chaos.hostless`: the real provisioner where there are no hosts.

SSH, the install and Milvus are stand-ins that keep what they did in files of the folder
KITE_TEST_HOSTS, one per address, as a disk would: a killed provisioner loses none of it. All else
is the program that `python -m provisioner` runs.
"""

import json
import os
import runpy
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from provisioner import app
from provisioner.facts import Answer
from provisioner.install.job import HostProgress, InstallResult, Reason

HALF, WHOLE = "half", "whole"


@dataclass
class Disks:
    """What hosts remember, by address."""

    folder: Path

    def read(self, address: str) -> dict[str, str]:
        try:
            return json.loads(self._file(address).read_text())
        except FileNotFoundError:
            return {}

    def write(self, address: str, content: dict[str, str]) -> None:
        new = self._file(address).with_suffix(f".{os.getpid()}")
        new.write_text(json.dumps(content))
        new.replace(self._file(address))

    def _file(self, address: str) -> Path:
        return self.folder / f"{address}.json"


@dataclass
class Job:
    job: Any
    ends: float
    results: tuple[InstallResult, ...] | None = None


@dataclass
class PretendInstaller:
    """Takes its time, and leaves half an install when the process dies in between."""

    disks: Disks
    seconds: float
    jobs: dict[str, Job] = field(default_factory=dict)

    def start(self, job: Any) -> None:
        if job.key in self.jobs:
            return
        for host in job.hosts:
            before = self.disks.read(host.address)
            if before.get("instance") != host.instance_id:
                self.disks.write(host.address, {"instance": host.instance_id, "milvus": HALF})
        job = replace(job, private_key=b"")
        self.jobs[job.key] = Job(job, time.monotonic() + self.seconds)

    def progress(self, key: str) -> tuple[HostProgress, ...]:
        known = self.jobs.get(key)
        hosts = known.job.hosts if known else ()
        return tuple(HostProgress(host.token, "unpack", 1, 2) for host in hosts)

    def results(self, key: str) -> tuple[InstallResult, ...] | None:
        known = self.jobs.get(key)
        if known is None or (known.results is None and time.monotonic() < known.ends):
            return None
        if known.results is None:
            self._end(known, Reason.OK)
        return known.results

    def _end(self, known: Job, reason: Reason) -> None:
        for host in known.job.hosts:
            disk = self.disks.read(host.address)
            if reason is Reason.OK and disk.get("instance") == host.instance_id:
                self.disks.write(host.address, {**disk, "milvus": WHOLE})
        known.results = tuple(
            InstallResult(host.token, reason is Reason.OK, reason, "", self.seconds)
            for host in known.job.hosts
        )

    def running(self, key: str) -> bool:
        return key in self.jobs and self.results(key) is None

    async def cancel(self, key: str) -> None:
        if self.running(key):
            self._end(self.jobs[key], Reason.CANCELLED)

    async def close(self) -> None:
        return None


@dataclass
class PretendMilvus:
    """Answers where an install ended, with the password it was given."""

    disks: Disks

    async def look(self, address: str, password: str) -> Answer:
        disk = self.disks.read(address)
        if disk.get("milvus") != WHOLE:
            return Answer.SILENT
        if "password" not in disk:
            return Answer.UNSECURED
        return Answer.ANSWERS if disk["password"] == password else Answer.SILENT

    async def secure(self, address: str, password: str) -> None:
        self.disks.write(address, {**self.disks.read(address), "password": password})


async def ssh(address: str) -> bool:
    return True


def main() -> None:
    disks = Disks(Path(os.environ["KITE_TEST_HOSTS"]))
    disks.folder.mkdir(parents=True, exist_ok=True)
    seconds = float(os.environ.get("KITE_TEST_INSTALL_SECONDS", "0.2"))
    parts = app.Parts(
        installer=PretendInstaller(disks, seconds), probe=PretendMilvus(disks), ssh=ssh
    )
    build = app.build
    app.build = lambda settings: build(settings, parts)
    runpy.run_module("provisioner", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
