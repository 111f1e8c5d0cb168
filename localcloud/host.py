"""One pretend host: its volumes, its root, its network, its machine.

Promise: a start that fails leaves nothing of what it made; what was there before stays. Stop keeps
the volumes and with them everything the host knew; remove keeps only what EC2 still lists.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address, IPv4Interface
from itertools import count
from pathlib import Path

from localcloud import network, seed
from localcloud.faults import Fault
from localcloud.machine import Disk, Machine, end
from localcloud.seed import Identity
from localcloud.tool import insist, run
from localcloud.volume import Device
from localcloud.workshop import Workshop

STEPS = ("volumes", "format", "mount", "overlay", "seed", "network", "firewall", "boot")
"""The steps of a start, in order."""

SSH = 22
XFS = b"XFSB"


@dataclass(frozen=True)
class Storage:
    """A volume as ordered: its EC2 id and its size."""

    volume_id: str
    gib: int


class Host:
    """A pretend host by its instance id. One thread at a time may change it."""

    def __init__(
        self,
        who: Identity,
        system: Storage,
        data: tuple[Storage, ...],
        workshop: Workshop,
        at: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`system` holds the root, `data` become /dev/nvme1n1 and on; `at` hears every step."""
        self.who, self._system, self._data = who, system, data
        self._shop, self._at = workshop, at
        self._folder = workshop.hosts / who.name
        self.namespace = workshop.ground.host_namespace(who.name)
        self._up = ExitStack()
        self._machine: Machine | None = None
        self._public: IPv4Address | None = None
        self._rules = ""
        self._names: dict[str, str] = {}

    # -- life ----------------------------------------------------------------------------

    def start(self) -> None:
        """Power on; builds what is missing. Raises OSError or ToolFailed, having undone all."""
        with ExitStack() as made:
            device = self._attach(made)
            with ExitStack() as up:
                self._raise(up, device)
                self._up = up.pop_all()
            made.pop_all()

    def stop(self) -> None:
        """Shut down in order and keep the volumes."""
        if self._machine is not None:
            self._machine.shut_down()
        self._lower()

    def remove(self) -> None:
        """Cut the power and let go of everything; the volumes' images stay with `Volumes`."""
        with ExitStack() as rest:
            rest.callback(shutil.rmtree, self._folder, ignore_errors=True)
            for storage in (self._system, *self._data):
                rest.callback(self._shop.volumes.detach, storage.volume_id)
            rest.callback(self._lower)

    def _lower(self) -> None:
        try:
            self._up.close()
        finally:
            self._machine = None
            self._public, self._rules = None, ""

    # -- what is seen --------------------------------------------------------------------

    @property
    def alive(self) -> bool:
        return self._machine is not None and self._machine.alive

    @property
    def reachable(self) -> bool:
        """Whether it is up as far as it ever will be: sshd listens (or is meant not to)."""
        if self._machine is None:
            return False
        if self.who.fault is Fault.SSH_REFUSES:
            return self._machine.init is not None
        return self._machine.listens(SSH)

    @property
    def volume_ids(self) -> tuple[str, ...]:
        return (self._system.volume_id, *(storage.volume_id for storage in self._data))

    # -- changes while it runs -----------------------------------------------------------

    def protect(self, ruleset: str) -> None:
        """Put a ruleset in force, in one step; nothing happens when it already is."""
        if ruleset != self._rules:
            run("nsenter", f"--net=/run/netns/{self.namespace}", "nft", "-f", "-", stdin=ruleset)
            self._rules = ruleset

    def readdress(self, public: IPv4Address | None) -> None:
        """Give it another public address, or none; in force at once."""
        if public == self._public:
            return
        old, ground = self._public, self._shop.ground
        lines = [f"addr del {old}/32 dev eth0"] if old else []
        if public is None:
            lines.append(f"route replace unreachable {ground.public}")
        else:
            lines.append(f"addr add {public}/32 dev eth0")
            lines.append(f"route replace {ground.public} dev eth0 src {public}")
        network.configure(self.namespace, lines)
        network.forget(ground, [address for address in (old, public) if address])
        self._public = public

    def grow(self, storage: Storage) -> bool:
        """Follow a volume that was made larger; the root grows its file system too."""
        if not self._shop.volumes.grow(storage.volume_id, storage.gib):
            return False
        if storage.volume_id == self._system.volume_id and self._machine is not None:
            run("xfs_growfs", self._folder / "volume")
        return True

    def keep(self, data: tuple[Storage, ...]) -> None:
        """Follow volumes that were attached or detached while it runs."""
        wanted = {storage.volume_id: storage for storage in data}
        for storage in self._data:
            if storage.volume_id not in wanted:
                self._unplug(storage)
        for volume_id, storage in wanted.items():
            if volume_id not in self.volume_ids:
                self._plug(storage)

    def _plug(self, storage: Storage) -> None:
        disk = self._disk(storage)
        self._data = (*self._data, storage)
        if self._machine is not None:
            self._machine.plug(disk)

    def _unplug(self, storage: Storage) -> None:
        if self._machine is not None:
            self._machine.unplug(self._disk(storage))
        self._data = tuple(one for one in self._data if one != storage)
        self._names.pop(storage.volume_id, None)
        self._shop.volumes.detach(storage.volume_id)

    # -- building ------------------------------------------------------------------------

    def _attach(self, made: ExitStack) -> Device:
        self._at("volumes")
        self._folder.mkdir(parents=True, exist_ok=True)
        made.callback(shutil.rmtree, self._folder, ignore_errors=True)
        volumes = self._shop.volumes
        for storage in (self._system, *self._data):
            is_new = not volumes.path(storage.volume_id).exists()
            undo = volumes.delete if is_new else volumes.detach
            made.callback(undo, storage.volume_id)
            volumes.attach(storage.volume_id, storage.gib)
        return volumes.attach(self._system.volume_id, self._system.gib)

    def _raise(self, up: ExitStack, device: Device) -> None:
        root = self._mount(up, device)
        self._at("network")
        ground = self._shop.ground
        up.callback(network.unplug, ground, self.namespace)
        own = IPv4Interface(f"{self.who.address}/{ground.vpc.prefixlen}")
        # No gateway: a pretend host reaches its own kind and never the internet.
        routes = ["default dev eth0", f"unreachable {ground.public}"]
        network.plug(ground, self.namespace, [own], routes)
        self._at("firewall")
        self._rules = ""
        self.protect(CLOSED)
        self._at("boot")
        up.callback(self._cut)
        self._machine = Machine(
            namespace=self.namespace,
            root=root,
            name=self.who.name,
            disks=[self._disk(one) for one in self._data],
            cgroup=self._shop.cgroup / self.namespace,
            console=self._folder / "console.log",
        )

    def _mount(self, up: ExitStack, device: Device) -> Path:
        volume, root = self._folder / "volume", self._folder / "root"
        self._at("format")
        with Path(device.path).open("rb") as disk:
            is_blank = disk.read(len(XFS)) != XFS
        if is_blank:
            run("mkfs.xfs", "-q", device.path)
        self._at("mount")
        volume.mkdir(exist_ok=True)
        run("mount", device.path, volume)
        up.callback(insist, lambda: run("umount", volume))
        for name in ("upper", "work"):
            (volume / name).mkdir(exist_ok=True)
        (volume / "upper").chmod(0o755)
        self._at("overlay")
        root.mkdir(exist_ok=True)
        options = f"lowerdir={self._shop.root},upperdir={volume}/upper,workdir={volume}/work"
        source = self._shop.ground.overlay(self.who.name)
        run("mount", "-t", "overlay", source, "-o", options, root)
        up.callback(insist, lambda: run("umount", root))
        if any(self._shop.root.glob("usr/*bin/dockerd")):
            self._room_for_images(up, volume, root)
        self._at("seed")
        if not (volume / "seeded").exists():
            seed.write(root, self.who)
            if self.who.fault is Fault.DISK_FULL:
                seed.fill(volume)
            (volume / "seeded").touch()
        return root

    def _room_for_images(self, up: ExitStack, volume: Path, root: Path) -> None:
        """Container engines need a real file system below them: no overlay upon our overlay."""
        for name in ("docker", "containerd"):
            real, shown = volume / name, root / "var/lib" / name
            real.mkdir(mode=0o711, exist_ok=True)
            shown.mkdir(exist_ok=True)
            run("mount", "--bind", real, shown)
            up.callback(insist, partial(run, "umount", shown))

    def _cut(self) -> None:
        if self._machine is not None:
            self._machine.off()
        end(self._shop.cgroup / self.namespace)

    def _disk(self, storage: Storage) -> Disk:
        device = self._shop.volumes.attach(storage.volume_id, storage.gib)
        taken = {name for other, name in self._names.items() if other != storage.volume_id}
        free = next(name for n in count(1) if (name := f"nvme{n}n1") not in taken)
        name = self._names.setdefault(storage.volume_id, free)
        return Disk(name, device.major, device.minor, storage.volume_id)


CLOSED = """table inet kite_groups
delete table inet kite_groups
table inet kite_groups {
  chain ingress { type filter hook input priority 0; policy drop; iif lo accept; }
}
"""
"""In force until the groups of the instance are known."""
