"""The wires: a switch in a namespace of its own, this machine's leg on it, cables to namespaces.

The bridge lives in its own namespace because a machine with a container engine filters bridged
packets (br_netfilter) with rules made for containers; an own namespace has none.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path

from localcloud.ground import Ground
from localcloud.tool import ToolFailed, insist, run

NAMESPACES = Path("/run/netns")
RESOLVERS = Path("/etc/netns")


def configure(namespace: str | None, lines: Iterable[str]) -> None:
    """Several `ip` commands in one process, in this machine's or another namespace."""
    where = ("-n", namespace) if namespace else ()
    run("ip", *where, "-batch", "-", stdin="\n".join(lines) + "\n")


def raise_switch(ground: Ground) -> None:
    """The bridge, and this machine on it as gateway. Raises ToolFailed."""
    peer = f"{ground.uplink}p"
    run("ip", "netns", "add", ground.switch)
    run("ip", "link", "add", ground.uplink, "type", "veth", "peer", peer, "netns", ground.switch)
    configure(
        ground.switch,
        [
            f"link add {ground.bridge} type bridge",
            f"link set {ground.bridge} up",
            f"link set {peer} master {ground.bridge} up",
        ],
    )
    configure(
        None,
        [
            f"addr add {ground.gateway}/{ground.vpc.prefixlen} dev {ground.uplink}",
            f"addr add {ground.public_gateway}/{ground.public.prefixlen} dev {ground.uplink}",
            f"link set {ground.uplink} up",
        ],
    )


def drop_switch(ground: Ground) -> None:
    drop_link(None, ground.uplink)
    drop_namespace(ground.switch)


def plug(
    ground: Ground, namespace: str, addresses: Sequence[IPv4Interface], routes: Sequence[str] = ()
) -> None:
    """A new namespace with `eth0` on the switch. Raises ToolFailed, and then leaves nothing."""
    run("ip", "netns", "add", namespace)
    try:
        cable = ground.link(namespace)
        run(
            *("ip", "link", "add", cable, "netns", ground.switch, "type", "veth"),
            *("peer", "name", "eth0", "netns", namespace),
        )
        configure(ground.switch, [f"link set {cable} master {ground.bridge} up"])
        configure(
            namespace,
            [
                "link set lo up",
                "link set eth0 up",
                *(f"addr add {address} dev eth0" for address in addresses),
                *(f"route add {route}" for route in routes),
            ],
        )
        forget(ground, [address.ip for address in addresses])
    except ToolFailed:
        unplug(ground, namespace)
        raise


def unplug(ground: Ground, namespace: str) -> None:
    drop_link(ground.switch, ground.link(namespace))
    drop_namespace(namespace)


def forget(ground: Ground, addresses: Iterable[IPv4Address]) -> None:
    """Nobody shall remember which machine had these addresses before."""
    lines = [f"neigh flush to {address}" for address in addresses]
    if not lines:
        return
    configure(None, lines)
    for namespace in ours(ground):
        try:
            configure(namespace, lines)
        except ToolFailed:
            continue  # it went away meanwhile


def ours(ground: Ground) -> list[str]:
    """Our namespaces, hosts and clients and the switch."""
    return sorted(path.name for path in NAMESPACES.glob(f"{ground.prefix}-*"))


def drop_namespace(namespace: str) -> None:
    if (NAMESPACES / namespace).exists():
        insist(lambda: run("ip", "netns", "del", namespace))


def drop_link(namespace: str | None, link: str) -> None:
    where = ("-n", namespace) if namespace else ()
    try:
        run("ip", *where, "link", "del", link)
    except ToolFailed:
        return  # gone with its namespace
