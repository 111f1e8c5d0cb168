"""The private folder of one job: key, known hosts, secrets, inventory. In memory where possible.

Promise: 0700, files 0600, and gone when the job ends; what a killed process left is swept away.
"""

import os
import re
import shutil
import tempfile
from pathlib import Path

from provisioner.install import orphans
from provisioner.install.inventory import BadJob, as_yaml, inventory, known_hosts
from provisioner.install.job import InstallJob, InstallSettings

PREFIX = "kite-install-"
OURS = re.compile(rf"{PREFIX}(\d+)-.+")
SOCKET_ROOM = 60
"""A UNIX socket path holds 108 bytes; ssh needs up to 46 of them below the folder."""


def place(settings: InstallSettings) -> Path:
    """Where job folders are made."""
    if settings.work_folder is not None:
        return settings.work_folder
    memory = Path("/dev/shm")  # noqa: S108 - a 0700 folder with a random name is made in it
    return memory if os.access(memory, os.W_OK) else Path(tempfile.gettempdir())


def sweep(settings: InstallSettings) -> None:
    """Remove what processes that are no more left: their folders, and who still lives in them."""
    parent = place(settings)
    for folder in parent.glob(f"{PREFIX}*"):
        match = OURS.fullmatch(folder.name)
        if match and not Path("/proc", match.group(1)).exists():
            drop(folder)


def drop(folder: Path) -> None:
    """Remove a job's folder, and end what its run left behind."""
    orphans.end(folder)
    shutil.rmtree(folder, ignore_errors=True)


def make(job: InstallJob, settings: InstallSettings) -> Path:
    """Write the folder of a checked job. Raises BadJob when its path is too long for ssh."""
    parent, prefix = place(settings), f"{PREFIX}{os.getpid()}-"
    if len(f"{parent}/{prefix}12345678") > SOCKET_ROOM:
        raise BadJob(f"{parent} is too long a path for ssh's sockets; use a shorter one")
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    try:
        for name in ("cp", "tmp"):
            (folder / name).mkdir(mode=0o700)
        _write(folder / "key", job.private_key.rstrip(b"\n") + b"\n")
        _write(folder / "known_hosts", known_hosts(job, settings).encode())
        _write(folder / "hosts.yml", as_yaml(inventory(job, settings, str(folder))).encode())
        for name, secret in job.secrets.items():
            _write(folder / name, secret.encode())
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder


def _write(path: Path, data: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
