"""Which block device is the data disk. Pure: facts in, choice out."""

from __future__ import annotations

import re
import typing as t

from ansible.module_utils.kite_host import Refused

DISK_NAME = re.compile(r"^(nvme\d+n\d+|xvd[a-z]+|sd[a-z]+|vd[a-z]+)$")
GIB = 1 << 30


class Disk(t.NamedTuple):
    """One whole disk as the kernel shows it; `used` says who uses it, or nothing."""

    name: str
    size: int
    used: str


def choose(disks: t.Sequence[Disk], size_gib: int) -> str:
    """The only unused disk (of the wanted size, when one is told); anything else is refused.

    Guessing between two disks would one day format the wrong one.
    """
    fitting = [
        disk
        for disk in disks
        if DISK_NAME.match(disk.name) and not disk.used and size_gib in {0, disk.size // GIB}
    ]
    if len(fitting) == 1:
        return "/dev/" + fitting[0].name
    seen = ", ".join(
        "{} {} GiB{}".format(d.name, d.size // GIB, " (" + d.used + ")" if d.used else "")
        for d in disks
    )
    wanted = f" of {size_gib} GiB" if size_gib else ""
    found = "no unused disk" if not fitting else f"{len(fitting)} unused disks"
    raise Refused(
        "DISK_NOT_FOUND",
        "{}{}; name one by disk_device or disk_volume_id. Seen: {}".format(
            found, wanted, seen or "none"
        ),
    )


def link_of_volume(volume_id: str) -> str:
    """Where udev shows an EBS volume on Nitro machines.

    Source: Amazon EC2 User Guide, "Amazon EBS volumes and NVMe".
    """
    serial = volume_id.replace("-", "")
    return "/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_" + serial


def tells_no_volumes(names: t.Sequence[str]) -> bool:
    """Whether these are disks of a Xen instance, whose names and serials say nothing of volumes."""
    return bool(names) and not any(name.startswith("nvme") for name in names)
