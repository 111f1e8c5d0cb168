"""What a pretend host's root is made of. Pure: a recipe has a key, and equal keys mean equal roots.

The root is what a cloud image is: the distribution's minimum with systemd, sshd, Python and sudo,
a user `ubuntu`, no host keys. Everything that differs between hosts is written at boot.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

FORM = 1
"""Raised when the steps below change in a way that the fields of a recipe do not show."""

PACKAGES = (
    "ca-certificates",
    "dbus",
    "e2fsprogs",
    "iproute2",
    "openssh-server",
    "python3",
    "sudo",
    "systemd-sysv",
    "xfsprogs",
)

MASKED = (
    "console-getty.service",
    "fstrim.timer",
    "getty@.service",
    "systemd-logind.service",
    "systemd-networkd.service",
    "systemd-timesyncd.service",
    "systemd-udev-trigger.service",
    "systemd-udevd.service",
)
"""Units that wait for hardware or a network manager which a pretend host does not have."""

PREPARE = """set -e
useradd --create-home --shell /bin/bash --uid 1000 ubuntu
install -d -m 700 -o ubuntu -g ubuntu /home/ubuntu/.ssh
echo 'ubuntu ALL=(ALL) NOPASSWD:ALL' > /etc/sudoers.d/90-cloud-init-users
chmod 440 /etc/sudoers.d/90-cloud-init-users
rm -f /etc/ssh/ssh_host_* /etc/machine-id /var/lib/dbus/machine-id
printf 'UseDNS no\\nPasswordAuthentication no\\n' > /etc/ssh/sshd_config.d/60-cloud.conf
rm -rf /usr/share/doc/* /usr/share/man/* /usr/share/locale/* /var/cache/apt/*.bin
for unit in {masked}; do ln -sf /dev/null /etc/systemd/system/$unit; done
"""


@dataclass(frozen=True)
class Recipe:
    """Distribution, its sources (deb822 text) and what is installed on top of the usual."""

    codename: str
    sources: str
    extra: tuple[str, ...] = ()

    @property
    def packages(self) -> tuple[str, ...]:
        return tuple(sorted({*PACKAGES, *self.extra}))

    @property
    def prepare(self) -> str:
        """Shell text that runs once inside the new root."""
        return PREPARE.format(masked=" ".join(MASKED))

    @property
    def key(self) -> str:
        """Short name of the finished root; the mirror is left out, it does not change the root."""
        parts = (str(FORM), self.codename, *self.packages, self.prepare)
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
