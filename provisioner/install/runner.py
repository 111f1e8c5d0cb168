"""Run installs: one child process per job, bounded, with deadlines, leaving nothing behind."""

from provisioner.install.job import HostProgress, InstallJob, InstallResult, InstallSettings


class Installer:
    """Starts jobs and answers how they stand. Use it inside one running event loop."""

    def __init__(self, settings: InstallSettings) -> None:
        self._settings = settings

    def start(self, job: InstallJob) -> None:
        """Begin the job and return at once; a key that is known already does nothing."""
        raise NotImplementedError

    def progress(self, key: str) -> tuple[HostProgress, ...]:
        """Where each host stands; empty when the key is unknown."""
        raise NotImplementedError

    def results(self, key: str) -> tuple[InstallResult, ...] | None:
        """One result per host; None while running or unknown."""
        raise NotImplementedError

    def running(self, key: str) -> bool:
        """Whether the job has not ended yet."""
        raise NotImplementedError

    async def cancel(self, key: str) -> None:
        """End the job now; its hosts get the reason CANCELLED."""
        raise NotImplementedError

    async def close(self) -> None:
        """Cancel every job and wait until nothing of them is left."""
        raise NotImplementedError
