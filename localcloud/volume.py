"""EBS volumes: sparse image files that the kernel shows as block devices.

Promise: one device per image, never two; a volume lives until its own deletion, not its host's.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from pathlib import Path

from localcloud.tool import insist, run

GIB = 1 << 30


@dataclass(frozen=True)
class Device:
    """A block device of this machine: its path and its kernel numbers."""

    path: str
    major: int
    minor: int


class Volumes:
    """All volumes, by EC2 volume id, in one folder. Safe for threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._open: dict[str, Device] = {}

    def path(self, volume_id: str) -> Path:
        return self._folder / f"{volume_id}.img"

    def attach(self, volume_id: str, gib: int) -> Device:
        """The device of a volume; blank when the volume is new. Raises ToolFailed or OSError."""
        with self._lock:
            if volume_id in self._open:
                return self._open[volume_id]
            path = self.path(volume_id)
            self._folder.mkdir(parents=True, exist_ok=True)
            is_new = not path.exists()
            if is_new:
                path.touch(mode=0o600)
                os.truncate(path, gib * GIB)
            try:
                device = _device(run("losetup", "--find", "--show", path).strip())
            except Exception:
                if is_new:
                    path.unlink()
                raise
            self._open[volume_id] = device
            return device

    def detach(self, volume_id: str) -> None:
        """Take the device away; the content stays. Waits until the kernel has let go."""
        with self._lock:
            if device := self._open.get(volume_id):
                release(device.path, self.path(volume_id))
                del self._open[volume_id]

    def delete(self, volume_id: str) -> None:
        self.detach(volume_id)
        self.path(volume_id).unlink(missing_ok=True)

    def grow(self, volume_id: str, gib: int) -> bool:
        """Make the device as large as ordered; False when it is already. Never shrinks."""
        with self._lock:
            path, device = self.path(volume_id), self._open.get(volume_id)
            if device is None or path.stat().st_size >= gib * GIB:
                return False
            os.truncate(path, gib * GIB)
            run("losetup", "-c", device.path)
            return True

    def known(self) -> set[str]:
        """Every volume that has an image here, attached or not."""
        return {path.stem for path in self._folder.glob("vol-*.img")}


def release(loop: str, image: Path) -> None:
    """Detach a loop device from our image, and wait until the kernel's last user has let go.

    Only ever from our image: the moment it is free, another program may take the same device.
    """

    def gone() -> None:
        if backing(loop) == image:
            run("losetup", "-d", loop)
            raise BlockingIOError(f"{loop} is still in use")

    insist(gone)


def backing(loop: str) -> Path | None:
    """The file behind a loop device; None when there is none."""
    try:
        text = Path(f"/sys/block/{Path(loop).name}/loop/backing_file").read_text()
    except OSError:
        return None
    return Path(text.rstrip("\n").removesuffix(" (deleted)"))


def _device(loop: str) -> Device:
    numbers = Path(loop).stat().st_rdev
    return Device(loop, os.major(numbers), os.minor(numbers))
