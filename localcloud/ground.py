"""The names and addresses of everything the local cloud makes on this machine.

Promise: whatever we create carries `prefix` in its name or path, so that it can be found and
removed without any record of it. Pure.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

LAST = 255


@dataclass(frozen=True)
class Ground:
    """Where one local cloud stands: `prefix` (2 letters) and the second byte of its ranges."""

    prefix: str = "kl"
    number: int = 88

    @classmethod
    def named(cls, text: str) -> Ground:
        """From `PREFIX:NUMBER`, e.g. `kl:88`. Raises ValueError."""
        if not (match := re.fullmatch(r"([a-z]{2}):([0-9]{1,3})", text)) or int(match[2]) > LAST:
            raise ValueError(f"{text!r} is no ground: two small letters, a colon, 0 to {LAST}.")
        return cls(match[1], int(match[2]))

    @property
    def vpc(self) -> IPv4Network:
        return IPv4Network(f"10.{self.number}.0.0/16")

    @property
    def public(self) -> IPv4Network:
        """A piece of 198.18.0.0/15, the benchmarking range: never routed on the internet."""
        return IPv4Network(f"198.18.{self.number}.0/24")

    @property
    def gateway(self) -> IPv4Address:
        """This machine as its hosts see it; also the address of the API, DNS and artifacts."""
        return self.vpc[1]

    @property
    def public_gateway(self) -> IPv4Address:
        """This machine as the clients see it."""
        return self.public[254]

    @property
    def pool(self) -> IPv4Network:
        """Public addresses of instances, elastic or not."""
        return next(self.public.subnets(prefixlen_diff=1))

    def is_client(self, address: IPv4Address) -> bool:
        """Clients stand outside at .200 to .250, or inside the VPC from its last 256 on."""
        outside = self.public[200] <= address <= self.public[250]
        return outside or self.vpc[255 << 8] < address < self.vpc[-1]

    @property
    def switch(self) -> str:
        """Namespace that holds the bridge, out of reach of this machine's own packet filter."""
        return f"{self.prefix}-switch"

    @property
    def bridge(self) -> str:
        return f"{self.prefix}br0"

    @property
    def uplink(self) -> str:
        """This machine's own leg on the bridge."""
        return f"{self.prefix}0"

    @property
    def run(self) -> Path:
        """Machine-wide: the lock and the record of who holds it."""
        return Path("/run/kite") / self.prefix

    def host_namespace(self, instance_id: str) -> str:
        return f"{self.prefix}-{instance_id[-10:]}"

    def client_namespace(self, name: str) -> str:
        return f"{self.prefix}-c-{name}"

    def link(self, namespace: str) -> str:
        """The switch's end of the cable to `namespace`; at most 15 characters, as Linux wants."""
        return self.prefix + hashlib.sha256(namespace.encode()).hexdigest()[:10]

    def overlay(self, instance_id: str) -> str:
        """The source name of a host's root file system in the mount table."""
        return f"{self.prefix}-{instance_id}"

    @property
    def hosts_folder(self) -> str:
        return f"{self.prefix}-hosts"

    @property
    def volumes_folder(self) -> str:
        return f"{self.prefix}-volumes"

    @property
    def cgroup_folder(self) -> str:
        return f"{self.prefix}-cgroup"

    @property
    def cgroup(self) -> str:
        """Every process of every host lives below this group of the unified hierarchy."""
        return f"kite-{self.prefix}"
