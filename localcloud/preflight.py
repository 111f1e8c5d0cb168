"""What this machine lacks to be a local cloud, all at once and one sentence each. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

PACKAGES = {
    "chroot": "coreutils",
    "hostname": "hostname",
    "ip": "iproute2",
    "losetup": "mount",
    "mkfs.xfs": "xfsprogs",
    "mmdebstrap": "mmdebstrap",
    "mount": "mount",
    "nft": "nftables",
    "nsenter": "util-linux",
    "umount": "mount",
    "unshare": "util-linux",
    "xfs_growfs": "xfsprogs",
}
"""Tools we run, and the Debian package that brings each."""

MACHINE = "x86_64"
ROOT_BYTES = 1 << 30
STATE_BYTES = 4 << 30
"""Free space that a first build, and a handful of hosts with Milvus, take."""


@dataclass(frozen=True)
class Seen:
    """What was found on this machine before anything was changed."""

    system: str = "Linux"
    machine: str = "x86_64"
    is_root: bool = True
    missing_tools: frozenset[str] = frozenset()
    missing_modules: frozenset[str] = frozenset()
    missing_file_systems: frozenset[str] = frozenset()
    has_namespaces: bool = True
    has_loop_devices: bool = True
    has_root: bool = False
    taken_ports: tuple[str, ...] = ()
    port_setting: str = "--port"
    taken_ranges: tuple[str, ...] = ()
    cache: str = "/"
    cache_free: int = 1 << 40
    state: str = "/"
    state_free: int = 1 << 40


def problems(seen: Seen) -> list[str]:
    """One sentence per thing that is missing, with what to do; empty when all is well."""
    if seen.system != "Linux":
        return [f"The local cloud needs Linux (this is {seen.system}); use a Linux machine or VM."]
    if seen.machine != MACHINE:
        needs = f"The local cloud needs an x86-64 machine (this is {seen.machine})"
        return [f"{needs}: the Milvus it runs is made for no other."]
    return [*_rights(seen), *_parts(seen), *_room(seen)]


def _rights(seen: Seen) -> Iterator[str]:
    if not seen.is_root:
        yield "The local cloud needs root for namespaces and mounts; run it with sudo."
    elif not seen.has_namespaces:
        yield (
            "This machine does not let root make namespaces (are you in an unprivileged "
            "container?); use a virtual machine or a privileged container."
        )
    elif not seen.has_loop_devices:
        yield "There are no loop devices (/dev/loop-control); load them with `modprobe loop`."


def _parts(seen: Seen) -> Iterator[str]:
    tools = seen.missing_tools - ({"mmdebstrap"} if seen.has_root else set())
    if tools:
        packages = sorted({PACKAGES[tool] for tool in tools})
        yield (
            f"Tools are missing ({', '.join(sorted(tools))}); install them with "
            f"`apt-get install -y --no-install-recommends {' '.join(packages)}`."
        )
    if seen.missing_modules:
        yield (
            f"Python packages are missing ({', '.join(sorted(seen.missing_modules))}); install "
            "them with `pip install 'kite-milvus[demo]'`."
        )
    if seen.missing_file_systems:
        names = ", ".join(sorted(seen.missing_file_systems))
        yield f"The kernel lacks {names}; load them with modprobe or use another kernel."


def _room(seen: Seen) -> Iterator[str]:
    if seen.taken_ports:
        yield (
            f"Taken by another program: {', '.join(seen.taken_ports)}; stop it or choose another "
            f"port with {seen.port_setting}."
        )
    if seen.taken_ranges:
        yield (
            f"This machine already has routes into our address ranges "
            f"({', '.join(seen.taken_ranges)}); take them down first."
        )
    if not seen.has_root and seen.cache_free < ROOT_BYTES:
        yield _small(seen.cache, seen.cache_free, ROOT_BYTES, "KITE_CACHE")
    if seen.state_free < STATE_BYTES:
        yield _small(seen.state, seen.state_free, STATE_BYTES, "--state")
    for path, setting in ((seen.cache, "KITE_CACHE"), (seen.state, "--state")):
        if set(":,\\\n") & set(path):
            yield f"{path!r} has a character that overlay mounts cannot have; set {setting}."


def _small(path: str, free: int, needed: int, setting: str) -> str:
    return (
        f"{path} has {free / (1 << 30):.1f} GiB free and {needed >> 30} GiB are needed; "
        f"make room or set {setting} to another disk."
    )
