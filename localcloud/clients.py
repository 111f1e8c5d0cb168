"""Clients: namespaces with a source address of their own, from which anything can be run.

`ip netns exec NAMESPACE command` runs as that client; its resolver is the local cloud's DNS.
"""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import asdict, dataclass
from ipaddress import IPv4Address, IPv4Interface

from localcloud import network
from localcloud.ground import Ground
from localcloud.tool import run

NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,14}[a-z0-9])?")


class ClientRefused(ValueError):
    """A client that cannot be, and why."""


@dataclass(frozen=True)
class Client:
    """A client machine: its name, its namespace, its source address."""

    name: str
    namespace: str
    address: str

    def as_json(self) -> dict[str, str]:
        return asdict(self)


def add(ground: Ground, name: str, address: IPv4Address) -> Client:
    """A new client, or the same again. Raises ClientRefused or ToolFailed."""
    if not NAME.fullmatch(name):
        raise ClientRefused(f"{name!r} is no client name: small letters, digits and dashes, <= 16.")
    if not ground.is_client(address):
        raise ClientRefused(
            f"{address} is no client's: use {ground.public[200]} to {ground.public[250]}, or "
            f"{ground.vpc[(255 << 8) + 1]} and above for one inside the VPC."
        )
    for client in listed(ground):
        if (client.name == name) != (client.address == str(address)):
            raise ClientRefused(f"Client {client.name} already has {client.address}.")
        if client.name == name:
            return client
    namespace = ground.client_namespace(name)
    inside = address in ground.vpc
    mask = (ground.vpc if inside else ground.public).prefixlen
    resolver = ground.gateway if inside else ground.public_gateway
    folder = network.RESOLVERS / namespace
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "resolv.conf").write_text(f"nameserver {resolver}\noptions timeout:2 attempts:2\n")
    network.plug(ground, namespace, [IPv4Interface(f"{address}/{mask}")])
    return Client(name, namespace, str(address))


def remove(ground: Ground, name: str) -> None:
    """Remove a client; one that is not there is fine."""
    namespace = ground.client_namespace(name)
    network.unplug(ground, namespace)
    shutil.rmtree(network.RESOLVERS / namespace, ignore_errors=True)


def listed(ground: Ground) -> list[Client]:
    """Every client there is, by name."""
    first = ground.client_namespace("")
    return [
        Client(namespace.removeprefix(first), namespace, _address(namespace))
        for namespace in network.ours(ground)
        if namespace.startswith(first)
    ]


def _address(namespace: str) -> str:
    found = json.loads(run("ip", "-n", namespace, "-json", "-4", "addr", "show", "dev", "eth0"))
    return next((str(one["local"]) for link in found for one in link.get("addr_info", ())), "")
