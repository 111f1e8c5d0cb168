"""What makes one host differ from the next: written into its root before its first boot.

On a real instance cloud-init does this, with the same results in the same places.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path

from localcloud.cloud_config import HostKey, UserData
from localcloud.faults import Fault
from localcloud.tool import run

UBUNTU = 1000
"""User and group number of `ubuntu` in the shared root."""

SCRIPT = "var/lib/cloud/instance/scripts/part-001"
UNIT = """[Unit]
Description=User data script (first boot only)
After=network.target ssh.service
ConditionPathExists=!/var/lib/cloud/instance/boot-finished

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/var/lib/cloud/instance/scripts/part-001
ExecStartPost=/usr/bin/touch /var/lib/cloud/instance/boot-finished

[Install]
WantedBy=multi-user.target
"""


@dataclass(frozen=True)
class Identity:
    """Who a host is."""

    name: str
    address: IPv4Address
    resolver: IPv4Address
    keys: tuple[str, ...]
    user_data: UserData = field(default_factory=UserData)
    fault: Fault | None = None


def write(root: Path, who: Identity) -> None:
    """Make the root this host's own. Raises OSError or ToolFailed."""
    etc = root / "etc"
    (etc / "hostname").write_text(f"{who.name}\n")
    (etc / "hosts").write_text(f"127.0.0.1 localhost\n{who.address} {who.name}\n")
    (etc / "machine-id").write_text(hashlib.sha256(who.name.encode()).hexdigest()[:32] + "\n")
    (etc / "resolv.conf").write_text(f"nameserver {who.resolver}\n")
    (etc / "fstab").write_text("")
    _host_keys(etc / "ssh", root, who.user_data.host_keys)
    denied = who.fault is Fault.SSH_DENIES
    _authorize(root, () if denied else (*who.keys, *who.user_data.authorized_keys))
    if who.user_data.script is not None:
        _script(root, who.user_data.script)
    if who.fault is Fault.SSH_REFUSES:
        for unit in ("ssh.service", "ssh.socket", "sshd.service"):
            _link(etc / "systemd/system" / unit, "/dev/null")


def fill(volume: Path, *, leave: int = 2 << 20) -> None:
    """Take all room of a mounted volume but a little (bytes); costs no space on this machine."""
    while (free := _free(volume)) > leave:
        with (volume / f"ballast-{free}").open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, max((free - leave) // 2, 1 << 20))


def _free(volume: Path) -> int:
    found = os.statvfs(volume)
    return found.f_bavail * found.f_frsize


def _host_keys(folder: Path, root: Path, planted: tuple[HostKey, ...]) -> None:
    for key in planted:
        path = folder / f"ssh_host_{key.kind}_key"
        path.touch(mode=0o600)
        path.write_text(key.private)
        path.with_suffix(".pub").write_text(key.public)
    if not planted:
        name = "/etc/ssh/ssh_host_ed25519_key"
        run("chroot", root, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", name)


def _authorize(root: Path, keys: tuple[str, ...]) -> None:
    path = root / "home/ubuntu/.ssh/authorized_keys"
    path.touch(mode=0o600)
    path.write_text("".join(f"{key.strip()}\n" for key in keys))
    os.chown(path, UBUNTU, UBUNTU)


def _script(root: Path, text: str) -> None:
    script = root / SCRIPT
    script.parent.mkdir(parents=True)
    script.write_text(text)
    script.chmod(0o700)
    units = root / "etc/systemd/system"
    (units / "cloud-final.service").write_text(UNIT)
    wants = units / "multi-user.target.wants"
    wants.mkdir(exist_ok=True)
    _link(wants / "cloud-final.service", "../cloud-final.service")


def _link(path: Path, target: str) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to(target)
