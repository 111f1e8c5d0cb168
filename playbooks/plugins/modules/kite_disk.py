"""Find the data disk, give it a file system once, mount it now and at boot, grow it."""

from __future__ import annotations

import os
import re
import stat
import time
import typing as t
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.kite_block import Disk, choose, link_of_volume, tells_no_volumes
from ansible.module_utils.kite_host import Refused, answer, need_program, put, run, text_of

DOCUMENTATION = """
module: kite_disk
short_description: Find the data disk, format it once, mount it now and at boot, grow it
description:
  - Only an empty disk is ever formatted; a disk that holds XFS is adopted with its data; anything
    else on it is refused.
options:
  mountpoint: {type: path, required: true, description: Where it is mounted.}
  device: {type: str, default: '', description: Device node; empty means find it.}
  volume_id: {type: str, default: '', description: EBS volume to find.}
  size_gib: {type: int, default: 0, description: Size of the disk to find; 0 means any.}
  wait_seconds: {type: int, default: 60, description: How long the disk may take to appear.}
author: [Kite]
"""

UNIT = """# Written by Kite.
[Unit]
Description=Data disk of Milvus
[Mount]
What={what}
Where={where}
Type=xfs
Options=noatime,nodev,nosuid
[Install]
WantedBy=multi-user.target
"""


def users_of(name: str) -> str:
    """Who uses a whole disk: a partition, a holder above it, or a mount; empty when nobody."""
    folder = Path("/sys/block", name)
    if any(folder.glob("*/partition")):
        return "has partitions"
    if any((folder / "holders").iterdir()):
        return "held by another device"
    number = text_of(str(folder / "dev")).strip()
    mounts = [line.split() for line in text_of("/proc/self/mountinfo").splitlines()]
    places = [words[4] for words in mounts if words[2] == number]
    return "mounted at " + places[0] if places else ""


def disks() -> list[Disk]:
    """Every whole disk that has a device node on this host."""
    names = [p.name for p in sorted(Path("/sys/block").iterdir()) if is_block("/dev/" + p.name)]
    return [
        Disk(name, int(text_of(f"/sys/block/{name}/size") or 0) * 512, users_of(name))
        for name in names
    ]


def is_block(path: str) -> bool:
    """Whether the path is a block device."""
    try:
        return stat.S_ISBLK(Path(path).stat().st_mode)
    except OSError:
        return False


def find_now(params: dict[str, t.Any]) -> str:
    """The device asked for. Raises Refused when it is not there."""
    named = params["device"] or (params["volume_id"] and link_of_volume(params["volume_id"]))
    if not named:
        return choose(disks(), params["size_gib"])
    if not is_block(named):
        if not params["device"] and tells_no_volumes([disk.name for disk in disks()]):
            return choose(disks(), params["size_gib"])
        raise Refused("DISK_NOT_FOUND", f"{named} is not a block device here")
    return str(Path(named).resolve())


def find(params: dict[str, t.Any]) -> str:
    """The device asked for, waited for: a volume may be attached while the host boots."""
    until = time.monotonic() + params["wait_seconds"]
    while True:
        try:
            return find_now(params)
        except Refused:
            if time.monotonic() > until:
                raise
        time.sleep(0.2)


def mounted(mountpoint: str) -> str:
    """major:minor of what is mounted there; empty when nothing is."""
    for line in text_of("/proc/self/mountinfo").splitlines():
        words = line.split()
        if words[4] == mountpoint:
            return words[2]
    return ""


def number_of(device: str) -> str:
    """major:minor of a device node."""
    rdev = Path(device).stat().st_rdev
    return f"{os.major(rdev)}:{os.minor(rdev)}"


def source_of(unit: str) -> str:
    """The device an earlier run wrote into the mount unit; empty when there was none."""
    match = re.search(r"^What=(.+)$", text_of("/etc/systemd/system/" + unit), re.MULTILINE)
    return match.group(1) if match else ""


def signature(device: str) -> str:
    """What a low-level look finds on the disk: a file system, a partition table, or nothing."""
    done = run("blkid", "--probe", "--output", "export", device, check=False)
    found = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    return found.get("TYPE") or found.get("PTTYPE") or ""


def stable_name(device: str) -> str:
    """The name that survives a reboot: by UUID where udev makes such links."""
    uuid = run("blkid", "--probe", "--match-tag", "UUID", "--output", "value", device).stdout
    link = "/dev/disk/by-uuid/" + uuid.strip()
    return link if uuid.strip() and Path(link).exists() else device


def ensure_file_system(device: str, *, pretend: bool) -> bool:
    """Format an empty disk, adopt XFS, refuse everything else."""
    found = signature(device)
    if found == "xfs":
        return False
    if found:
        message = f"{device} already holds {found}; nothing was changed"
        raise Refused("DISK_IN_USE", message)
    if not pretend:
        need_program("mkfs.xfs", "xfsprogs")
        run("mkfs.xfs", "-q", "-K", "-L", "kite-data", device)
        run("udevadm", "settle", "--timeout=5", check=False)
    return True


def ensure_mounted(device: str, mountpoint: str, unit: str, *, pretend: bool) -> bool:
    """Mount through a unit of systemd, so that services can require it."""
    if pretend:
        return not mounted(mountpoint)
    unit_file = "/etc/systemd/system/" + unit
    known = source_of(unit)
    kept = bool(known) and is_block(known) and number_of(known) == number_of(device)
    what = known if kept else stable_name(device)
    changed = put(unit_file, UNIT.format(what=what, where=mountpoint), 0o644, pretend=False)
    there = mounted(mountpoint)
    if changed or not there:
        run("systemctl", "daemon-reload")
        run("systemctl", "enable", "--now", unit)
    if mounted(mountpoint) != number_of(device):
        raise Refused("DISK_IN_USE", f"{device} is not what {mountpoint} shows")
    return changed or not there


def grow(device: str, mountpoint: str, *, pretend: bool) -> bool:
    """Let the file system fill a disk that became larger."""
    shown = run("xfs_growfs", "-n", mountpoint).stdout
    match = re.search(r"^data\s.*bsize=(\d+)\s+blocks=(\d+)", shown, re.MULTILINE)
    if match is None:
        raise Refused("TASK_FAILED", f"cannot read the size of {mountpoint}")
    with Path(device).open("rb") as disk:
        blocks = disk.seek(0, os.SEEK_END) // int(match.group(1))
    if blocks <= int(match.group(2)):
        return False
    if not pretend:
        run("xfs_growfs", "-d", mountpoint)
    return True


def main() -> None:
    """Entry point of the module."""
    spec = {
        "mountpoint": {"type": "path", "required": True},
        "device": {"type": "str", "default": ""},
        "volume_id": {"type": "str", "default": ""},
        "size_gib": {"type": "int", "default": 0},
        "wait_seconds": {"type": "int", "default": 60},
    }
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    params, pretend = module.params, module.check_mode

    def work() -> dict[str, t.Any]:
        mountpoint = params["mountpoint"]
        unit = run("systemd-escape", "--path", "--suffix=mount", mountpoint).stdout.strip()
        known = source_of(unit)
        settled = known and is_block(known) and mounted(mountpoint) == number_of(known)
        device = str(Path(known).resolve()) if settled else find(params)
        made = ensure_file_system(device, pretend=pretend)
        changed = ensure_mounted(device, mountpoint, unit, pretend=pretend)
        grown = bool(mounted(mountpoint)) and grow(device, mountpoint, pretend=pretend)
        return {"changed": made or changed or grown, "device": device, "grown": grown}

    answer(module, work)


if __name__ == "__main__":
    main()
