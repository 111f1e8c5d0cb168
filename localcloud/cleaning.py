"""Remove whatever a local cloud left on this machine. Safe to repeat."""

from __future__ import annotations

import os
import shutil
import signal
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep

from localcloud import leftovers, network, tenancy
from localcloud.ground import Ground
from localcloud.leftovers import Leftovers
from localcloud.machine import end
from localcloud.tool import insist, run
from localcloud.volume import release


def sweep(ground: Ground) -> Leftovers:
    """Remove everything of ours and answer what is still there. The caller holds the machine."""
    found = leftovers.find(ground)
    for group in found.cgroups:
        end(Path(group))
    for namespace in found.namespaces:
        network.drop_namespace(namespace)
    for link in found.links:
        network.drop_link(None, link)
    for mount in found.mounts:
        insist(lambda mount=mount: run("umount", mount))  # type: ignore[misc]
    for loop in found.loops:
        release(loop.device, loop.image)
    for folder in found.resolvers:
        shutil.rmtree(folder, ignore_errors=True)
    if network.RESOLVERS.is_dir() and not any(network.RESOLVERS.iterdir()):
        network.RESOLVERS.rmdir()
    return leftovers.find(ground) if found else found


def forget(ground: Ground, state: Path) -> None:
    """Remove what our hosts wrote below a state folder; the folder itself is its owner's.

    Call it only when `sweep` left nothing: what is below a mount is not ours to remove.
    """
    for name in (ground.hosts_folder, ground.volumes_folder):
        shutil.rmtree(state / name, ignore_errors=True)
    # Never a tree: were the hierarchy still mounted, it would be every group of the machine.
    with suppress(OSError):
        (state / ground.cgroup_folder).rmdir()
    for name in ("faults.json", "status.json"):
        (state / name).unlink(missing_ok=True)


def stop(ground: Ground, *, patience: float = 60) -> bool:
    """Ask the running local cloud to end and wait for it; False when none runs.

    Raises TimeoutError when it is still there after `patience` seconds.
    """
    holder = tenancy.tenant(ground)
    if holder is None or not holder.lives():
        return False
    os.kill(holder.pid, signal.SIGTERM)
    last = monotonic() + patience
    while holder.lives():
        if monotonic() > last:
            raise TimeoutError(f"Process {holder.pid} did not end within {patience:.0f} seconds.")
        sleep(0.05)
    return True
