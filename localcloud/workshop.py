"""What every host of one cloud is made with and in."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from localcloud.ground import Ground
from localcloud.tool import insist, run
from localcloud.volume import Volumes


@dataclass(frozen=True)
class Workshop:
    """Names, the shared root, the folder of the hosts' mounts, their cgroup, all volumes."""

    ground: Ground
    root: Path
    hosts: Path
    cgroup: Path
    volumes: Volumes


def open_workshop(stack: ExitStack, ground: Ground, state: Path, lower: Path) -> Workshop:
    """Make the folders and the cgroup; `stack` removes them. Raises OSError or ToolFailed."""
    groups, hosts = state / ground.cgroup_folder, state / ground.hosts_folder
    volumes = Volumes(state / ground.volumes_folder)
    for folder in (hosts, state / ground.volumes_folder, groups):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Shared, so that a host's end is seen by every process that took a copy of our mounts with
    # `ip netns exec`; a private copy would keep its disk busy for as long as that process lives.
    run("mount", "--bind", hosts, hosts)
    stack.callback(insist, lambda: run("umount", hosts))
    run("mount", "--make-private", hosts)
    run("mount", "--make-shared", hosts)
    run("mount", "-t", "cgroup2", "none", groups)
    stack.callback(insist, lambda: run("umount", groups))
    (groups / ground.cgroup).mkdir(exist_ok=True)
    stack.callback((groups / ground.cgroup).rmdir)
    return Workshop(ground, lower, hosts, groups / ground.cgroup, volumes)
