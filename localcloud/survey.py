"""Look at this machine for the preflight, without changing anything on it."""

from __future__ import annotations

import json
import os
import platform
import shutil
import socket
from importlib.util import find_spec
from ipaddress import IPv4Network, ip_network
from pathlib import Path

from localcloud import root
from localcloud.ground import Ground
from localcloud.preflight import PACKAGES, Seen
from localcloud.tool import ToolFailed, run

MODULES = ("boto3", "dnslib", "moto", "flask", "yaml")
FILE_SYSTEMS = ("cgroup2", "overlay", "xfs")
DNS = 53


def look(ground: Ground, state: Path, port: int, extra: tuple[str, ...] = ()) -> Seen:
    """What is there; `port` is the API's."""
    is_linux = platform.system() == "Linux"
    is_root = is_linux and os.geteuid() == 0
    cache = root.cache()
    return Seen(
        system=platform.system(),
        machine=platform.machine(),
        is_root=is_root,
        missing_tools=frozenset(tool for tool in PACKAGES if shutil.which(tool) is None),
        missing_modules=frozenset(name for name in MODULES if find_spec(name) is None),
        missing_file_systems=_missing_file_systems() if is_linux else frozenset(),
        has_namespaces=not is_root or _has_namespaces(),
        has_loop_devices=Path("/dev/loop-control").exists(),
        has_root=_has_root(extra),
        taken_ports=tuple(_taken_ports(port)) if is_linux else (),
        taken_ranges=tuple(_taken_ranges(ground)) if is_root else (),
        cache=str(cache),
        cache_free=_free(cache),
        state=str(state),
        state_free=_free(state),
    )


def _has_root(extra: tuple[str, ...]) -> bool:
    try:
        return root.place(root.recipe(extra), root.cache()).is_dir()
    except (root.NoRoot, OSError):
        return False


def _has_namespaces() -> bool:
    try:
        run("unshare", "-m", "-p", "-u", "-i", "-n", "-C", "--fork", "true")
    except ToolFailed:
        return shutil.which("unshare") is None
    return True


def _missing_file_systems() -> frozenset[str]:
    here = {line.split()[-1] for line in Path("/proc/filesystems").read_text().splitlines()}
    modules = Path("/lib/modules") / platform.release()
    loadable = "".join(
        path.read_text()
        for name in ("modules.dep", "modules.builtin")
        if (path := modules / name).is_file()
    )
    return frozenset(
        name for name in FILE_SYSTEMS if name not in here and f"/{name}.ko" not in loadable
    )


def _taken_ports(port: int) -> list[str]:
    found = []
    if port:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                found.append(f"TCP port {port}")
    if DNS in _everywhere("udp"):
        found.append(f"UDP port {DNS} on all addresses")
    return found


def _everywhere(protocol: str) -> set[int]:
    """Ports bound to every address, which ours would collide with (proc(5), /proc/net/tcp)."""
    ports = set()
    for table in (protocol, f"{protocol}6"):
        path = Path("/proc/net") / table
        for line in path.read_text().splitlines()[1:] if path.exists() else ():
            address, _, number = line.split()[1].partition(":")
            if not address.strip("0"):
                ports.add(int(number, 16))
    return ports


def _taken_ranges(ground: Ground) -> list[str]:
    if shutil.which("ip") is None:
        return []
    found = []
    for route in json.loads(run("ip", "-json", "-4", "route", "show", "table", "all") or "[]"):
        target = route.get("dst", "default")
        if target == "default" or route.get("dev") == ground.uplink:
            continue
        network = ip_network(target, strict=False)
        if isinstance(network, IPv4Network) and network.prefixlen and _meets(network, ground):
            found.append(f"{target} by {route.get('dev', 'nobody')}")
    return found


def _meets(network: IPv4Network, ground: Ground) -> bool:
    own = (ground.vpc, ground.public)
    # A route to a part of ours takes it away; a wider one gives way to ours.
    return any(network.subnet_of(one) for one in own)


def _free(path: Path) -> int:
    for there in (path, *path.parents):
        try:
            found = os.statvfs(there)
        except OSError:
            continue  # not made yet, or not ours to look at
        return found.f_bavail * found.f_frsize
    return 0
