"""The loop that makes this machine match what EC2 says: hosts, their rules, addresses and disks.

Level-triggered: every turn looks at the whole wish and repairs what differs. A host has one job at
a time; builds run beside each other in a few threads.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from time import monotonic
from typing import Protocol

from botocore.exceptions import BotoCoreError, ClientError

from localcloud import cloud_config, firewall, wish
from localcloud.cloud_config import UserDataRefused
from localcloud.ec2 import Ec2, Papers, Sight
from localcloud.faults import Fault, Faults
from localcloud.host import Host, Storage
from localcloud.plan import Do, Stage, decide
from localcloud.seed import Identity
from localcloud.tool import ToolFailed
from localcloud.wish import Attached, Wanted, Wish
from localcloud.workshop import Workshop

PAUSE = 0.25
"""Seconds between two turns."""
PATIENCE = 2.0
"""Longest that an answer of EC2 waits for this machine to have followed, seconds."""
SLOW = 4
"""Volumes are looked at every so many turns."""
TRIES = 3
"""A host that could not be built so often is given up; EC2 then says why."""
SIDE_BY_SIDE = 4

INTERNAL_ERROR = "Server.InternalError"
BAD_USER_DATA = "Client.UserDataRefused"

TROUBLE = (ToolFailed, OSError, LookupError, BotoCoreError, ClientError)


class Marks(Protocol):
    """How the API hears what became of an instance, and we of what no state of EC2 shows."""

    def mark_reachable(self, instance_id: str) -> None: ...
    def mark_stopped(self, instance_id: str) -> None: ...
    def take_reboots(self) -> list[str]: ...
    def mark_failed(self, instance_id: str, reason: str) -> None: ...


@dataclass
class Held:
    """What the loop knows of one instance."""

    stage: Stage = Stage.ABSENT
    host: Host | None = None
    job: Future[None] | None = None
    fault: Fault | None = None
    is_drawn: bool = False
    shall_reboot: bool = False
    tries: int = 0
    trouble: str = ""


class Fleet:
    """All hosts of one cloud. `turn` is called from one thread only."""

    def __init__(
        self,
        *,
        ec2: Ec2,
        marks: Marks,
        workshop: Workshop,
        faults: Faults,
        status: Path,
        say: Callable[[str], None],
    ) -> None:
        self._ec2, self._marks, self._shop = ec2, marks, workshop
        self._faults, self._status, self._say = faults, status, say
        self._held: dict[str, Held] = {}
        self._turns = 0
        self._told = ""
        self._turned = threading.Condition()
        self._begun = self._ended = 0
        self._nudge = threading.Event()
        self._pool = ThreadPoolExecutor(SIDE_BY_SIDE, thread_name_prefix="host")

    def run(self, stop: threading.Event) -> None:
        """Turn until told to stop; trouble of one turn is said and the next one tries again."""
        while not stop.is_set():
            self._nudge.wait(PAUSE)
            self._nudge.clear()
            with self._turned:
                self._begun += 1
            try:
                self.turn()
            except TROUBLE as error:
                self._say(f"This turn failed and is tried again: {error}")
            with self._turned:
                self._ended = self._begun
                self._turned.notify_all()

    def catch_up(self) -> None:
        """Wait until a turn that begins after this call has ended, or `PATIENCE` has passed.

        So a changed rule is in force when EC2's answer arrives; on AWS it takes moments longer.
        """
        with self._turned:
            next_one = self._begun + 1
            self._nudge.set()
            self._turned.wait_for(lambda: self._ended >= next_one, PATIENCE)

    def turn(self) -> None:
        sight = self._ec2.look()
        attached = self._volumes() if self._turns % SLOW == 0 else None
        self._turns += 1
        addresses = wish.members(sight.wishes.values())
        for instance_id in self._marks.take_reboots():
            if instance_id in self._held:
                self._held[instance_id].shall_reboot = True
        for instance_id in (*sight.wishes, *(set(self._held) - set(sight.wishes))):
            held = self._held.setdefault(instance_id, Held())
            if held.job is None or held.job.done():
                done, held.job = held.job, None
                if done is not None:
                    done.result()  # what nobody foresaw ends the cloud, loudly
                self._one(instance_id, held, sight, addresses, attached)
        self._tell()

    def close(self) -> None:
        """Remove every host, whatever EC2 says. Trouble is said, not raised."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            for instance_id, held in self._held.items():
                if held.host is not None:
                    pool.submit(self._guard, instance_id, held, held.host.remove)

    # -- one host, one turn --------------------------------------------------------------

    def _one(
        self,
        instance_id: str,
        held: Held,
        sight: Sight,
        addresses: Mapping[str, tuple[IPv4Address, ...]],
        attached: Mapping[str, tuple[Attached, ...]] | None,
    ) -> None:
        one = sight.wishes.get(instance_id)
        match decide(one.wanted if one else Wanted.GONE, held.stage), one, held.host:
            case Do.START, Wish(), _:
                self._submit(instance_id, held, lambda: self._start(held, one))
            case Do.TEND, Wish(), Host() as host if not host.alive:
                self._say(f"{instance_id} went down by itself and boots again")
                self._submit(instance_id, held, lambda: self._restart(held, host))
            case Do.TEND, Wish(), Host() as host if held.shall_reboot:
                self._say(f"{instance_id} reboots")
                self._submit(instance_id, held, lambda: self._restart(held, host))
            case Do.TEND, Wish(), Host() as host:
                disks = attached.get(instance_id) if attached else None
                rules = self._ruleset(one, sight, addresses)
                self._guard(instance_id, held, lambda: self._tend(one, host, rules, disks))
            case Do.STOP, _, Host() as host:
                self._submit(instance_id, held, lambda: self._stop(held, host))
            case Do.REMOVE, _, Host() as host:
                self._submit(instance_id, held, lambda: self._remove(held, host))
            case Do.REMOVE, _, None:
                held.stage = Stage.ABSENT
            case Do.NOTHING, None, _:
                del self._held[instance_id]
            case Do.NOTHING, Wish(stopping=True), _:
                self._marks.mark_stopped(instance_id)
            case _:
                pass

    def _start(self, held: Held, one: Wish) -> None:
        since = monotonic()
        held.shall_reboot = False
        if not held.is_drawn:
            held.fault, held.is_drawn = self._faults.take(dict(one.tags)), True
        if held.fault is Fault.BOOT_HANGS:
            held.stage = Stage.BROKEN
            return
        try:
            if held.fault is Fault.BOOT_NEVER:
                self._give_up(one.instance_id, held, INTERNAL_ERROR, "a fault was ordered")
                return
            if held.host is None:
                held.host = self._host(held, one, self._ec2.papers(one))
            held.host.start()
        except UserDataRefused as error:
            self._give_up(one.instance_id, held, BAD_USER_DATA, str(error))
        except TROUBLE as error:
            held.tries += 1
            if held.tries >= TRIES:
                self._give_up(one.instance_id, held, INTERNAL_ERROR, str(error))
                return
            raise
        else:
            held.stage, held.tries, held.trouble = Stage.UP, 0, ""
            seconds = monotonic() - since
            self._say(f"{one.instance_id} boots at {one.private}, built in {seconds:.2f} s")

    def _host(self, held: Held, one: Wish, papers: Papers) -> Host:
        root, data = wish.split(papers.volumes, one.root_device)
        who = Identity(
            name=one.instance_id,
            address=one.private,
            resolver=self._shop.ground.gateway,
            keys=papers.keys,
            user_data=cloud_config.read(papers.user_data),
            fault=held.fault,
        )
        return Host(who, _storage(root), tuple(map(_storage, data)), self._shop)

    def _tend(
        self, one: Wish, host: Host, rules: str, attached: tuple[Attached, ...] | None
    ) -> None:
        host.readdress(one.public)
        host.protect(rules)
        if attached:
            root, data = wish.split(attached, one.root_device)
            host.keep(tuple(map(_storage, data)))
            for volume in (root, *data):
                if host.grow(_storage(volume)):
                    self._say(f"{volume.volume_id} of {one.instance_id} is now {volume.gib} GiB")
        if one.pending and host.reachable:
            self._marks.mark_reachable(one.instance_id)
            self._say(f"{one.instance_id} is reachable")

    def _restart(self, held: Held, host: Host) -> None:
        held.shall_reboot = False
        host.stop()
        host.start()

    def _stop(self, held: Held, host: Host) -> None:
        host.stop()
        self._marks.mark_stopped(host.who.name)
        held.stage = Stage.DOWN

    def _remove(self, held: Held, host: Host) -> None:
        host.remove()
        held.host, held.stage = None, Stage.ABSENT
        self._say(f"{host.who.name} is gone")

    def _give_up(self, instance_id: str, held: Held, code: str, why: str) -> None:
        held.stage, held.trouble = Stage.BROKEN, why
        self._marks.mark_failed(instance_id, code)
        self._say(f"{instance_id} never comes up: {why}")

    # -- what hosts share ----------------------------------------------------------------

    def _ruleset(
        self, one: Wish, sight: Sight, addresses: Mapping[str, tuple[IPv4Address, ...]]
    ) -> str:
        groups = [sight.groups[group] for group in one.groups if group in sight.groups]
        ingress = [p for group in groups for p in group.get("IpPermissions", ())]
        egress = [p for group in groups for p in group.get("IpPermissionsEgress", ())]
        return firewall.ruleset(
            firewall.allows(ingress, addresses),
            firewall.allows(egress, addresses),
            self._shop.ground.gateway,
        )

    def _volumes(self) -> Mapping[str, tuple[Attached, ...]]:
        # Images first, then EC2's list: an image is always younger than its volume.
        known = self._shop.volumes.known()
        listed, attached = self._ec2.volumes()
        hosts = [held.host for held in self._held.values() if held.host is not None]
        used = {volume_id for host in hosts for volume_id in host.volume_ids}
        for volume_id in known - listed - used:
            self._shop.volumes.delete(volume_id)
        return attached

    def _submit(self, instance_id: str, held: Held, act: Callable[[], None]) -> None:
        held.job = self._pool.submit(self._guard, instance_id, held, act)

    def _guard(self, instance_id: str, held: Held, act: Callable[[], None]) -> None:
        try:
            act()
        except TROUBLE as error:
            if held.trouble != str(error):
                held.trouble = str(error)
                self._say(f"{instance_id}: {error}")

    def _tell(self) -> None:
        """Write the state of all hosts for whoever asks, when it has changed."""
        text = json.dumps(
            {
                instance_id: {
                    "stage": held.stage,
                    "namespace": self._shop.ground.host_namespace(instance_id),
                    "fault": held.fault,
                    "trouble": held.trouble,
                }
                for instance_id, held in sorted(self._held.items())
            }
        )
        if text != self._told:
            fresh = self._status.with_suffix(".new")
            fresh.write_text(text)
            fresh.replace(self._status)
            self._told = text


def _storage(volume: Attached) -> Storage:
    return Storage(volume.volume_id, volume.gib)
