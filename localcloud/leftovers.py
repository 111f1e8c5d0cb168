"""What this machine still has of a local cloud, found by name alone: no record is needed."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, fields
from pathlib import Path

from localcloud import network
from localcloud.ground import Ground
from localcloud.machine import members
from localcloud.tool import run
from localcloud.volume import backing


@dataclass(frozen=True)
class Loop:
    """A loop device and the image of ours behind it."""

    device: str
    image: Path

    def __str__(self) -> str:
        return self.device


@dataclass(frozen=True)
class Leftovers:
    """Everything found, by kind; `mounts` deepest first."""

    namespaces: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    mounts: tuple[str, ...] = ()
    loops: tuple[Loop, ...] = ()
    cgroups: tuple[str, ...] = ()
    processes: tuple[int, ...] = ()
    resolvers: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return any(getattr(self, one.name) for one in fields(self))

    def lines(self) -> list[str]:
        """One line per kind that has something."""
        return [
            f"{one.name}: {', '.join(map(str, found))}"
            for one in fields(self)
            if (found := getattr(self, one.name))
        ]


def find(ground: Ground) -> Leftovers:
    """Look at the whole machine."""
    groups = cgroups(ground)
    return Leftovers(
        namespaces=tuple(network.ours(ground)),
        links=tuple(_links(ground)),
        mounts=tuple(_mounts(ground)),
        loops=tuple(_loops(ground)),
        cgroups=tuple(map(str, groups)),
        processes=tuple(sorted({pid for group in groups for pid in members(group)})),
        resolvers=tuple(map(str, sorted(network.RESOLVERS.glob(f"{ground.prefix}-*")))),
        tables=tuple(_tables()),
    )


def cgroups(ground: Ground) -> list[Path]:
    """Our group, wherever the unified hierarchy is mounted."""
    points = [point for point, kind in _table() if kind == "cgroup2"]
    return [path for point in points if (path := Path(point) / ground.cgroup).is_dir()]


def _links(ground: Ground) -> list[str]:
    own = re.compile(rf"{ground.prefix}(br0|0p?|[0-9a-f]{{10}})")
    return [
        link["ifname"]
        for link in json.loads(run("ip", "-json", "link", "show"))
        if own.fullmatch(link["ifname"])
    ]


def _mounts(ground: Ground) -> list[str]:
    parts = {ground.hosts_folder, ground.cgroup_folder}
    found = [point for point, _ in _table() if parts & set(Path(point).parts)]
    return sorted(found, key=len, reverse=True)


def _table() -> list[tuple[str, str]]:
    """Mount points and file system kinds (proc(5), mountinfo)."""
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        left, _, right = line.partition(" - ")
        found.append((_plain(left.split()[4]), right.split()[0]))
    return found


def _plain(text: str) -> str:
    """Undo the octal escapes of the mount table."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)


def _loops(ground: Ground) -> list[Loop]:
    found = ((f"/dev/{path.name}", backing(path.name)) for path in Path("/sys/block").glob("loop*"))
    return [
        Loop(device, image)
        for device, image in sorted(found)
        if image is not None and ground.volumes_folder in image.parts
    ]


def _tables() -> list[str]:
    """Our tables in this machine's own namespace: there are none, ever; this proves it."""
    return [
        line for line in run("nft", "list", "tables").splitlines() if line.endswith(" kite_groups")
    ]
