"""Ansible, simulated: runs that succeed, stumble, break or hang, and die with their process."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from provisioner.install.job import HostProgress, InstallJob, InstallResult
from tests.sim.cloud import Cloud
from tests.sim.hosts import NEVER, Host
from tests.sim.wire import NOBODY

HARD_DEADLINE = 1200.0


@dataclass
class Run:
    job: InstallJob
    result: tuple[str, str] | None = None


@dataclass
class Installer:
    """provisioner.install.runner.Installer as provisioner.installs uses it: one host a job."""

    process: Any
    cloud: Cloud
    runs: dict[str, Run] = field(default_factory=dict)

    def start(self, job: InstallJob) -> None:
        if job.key in self.runs or self.process.over:
            return
        run = self.runs[job.key] = Run(job)
        host = self.cloud.hosts.get(job.hosts[0].instance_id)
        reason, seconds = self._fate(host, job)
        asyncio.get_running_loop().call_later(seconds, self._end, run, host, reason, context=NOBODY)

    def _fate(self, host: Host | None, job: InstallJob) -> tuple[str, float]:
        chance = self.cloud.chance
        address = job.hosts[0].address
        if host is None or address not in {host.public_ip, host.private_ip}:
            return "UNREACHABLE", 20.0
        if chance.hits("install_hangs"):
            host.installs.append("DEADLINE")  # as it begins: others give up long before its end
            return "DEADLINE", HARD_DEADLINE
        if chance.hits("install_breaks"):
            return "TASK_FAILED", chance.between(5, 90)
        if chance.hits("install_stumbles"):
            return "UNREACHABLE", chance.between(5, 90)
        return "OK", 1.0 if host.installed_at < NEVER else chance.between(5, 90)

    def _end(self, run: Run, host: Host | None, reason: str) -> None:
        over = self.cloud.now >= host.ended_at if host is not None else False
        if run.result is None and host is not None and reason != "DEADLINE":
            told = "CUT" if self.process.over else "UNREACHABLE" if over else reason
            host.installs.append(told)
        if run.result is not None or self.process.over:
            return
        if over:
            reason = "UNREACHABLE"
        if reason == "OK" and host is not None:
            host.installed_at = min(host.installed_at, self.cloud.now)
        self._seal(run, reason)

    def _seal(self, run: Run, reason: str) -> None:
        run.result = (reason, f"sim: {reason.lower()}")

    def progress(self, key: str) -> tuple[HostProgress, ...]:
        run = self.runs.get(key)
        return (HostProgress(run.job.hosts[0].token, "unpack", 1, 3),) if run else ()

    def results(self, key: str) -> tuple[InstallResult, ...] | None:
        run = self.runs.get(key)
        if run is None or run.result is None:
            return None
        reason, text = run.result
        token = run.job.hosts[0].token
        return (InstallResult(token, reason == "OK", reason, text, 1.0),)

    def running(self, key: str) -> bool:
        run = self.runs.get(key)
        return run is not None and run.result is None

    async def cancel(self, key: str) -> None:
        run = self.runs.get(key)
        if run is not None and run.result is None:
            self._seal(run, "CANCELLED")

    async def close(self) -> None:
        for key in list(self.runs):
            await self.cancel(key)
