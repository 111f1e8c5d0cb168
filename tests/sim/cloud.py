"""An EC2 that forgets, lags and runs dry: state and effects of its calls, by action.

Rules from AWS documents (reference: localcloud/strict): a client token names one launch for ever;
a repeated token brings the same machine, or an error once that has ended; what is fresh may be
invisible, by its tags longest; a group in use cannot be deleted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from email.utils import format_datetime
from typing import Any

from kite import refusals, tags
from provisioner.facts import Machine
from tests.sim.chance import SUBNETS, TYPES, Chance
from tests.sim.hosts import NEVER, Held, Host, Volume, at
from tests.sim.tale import Tale

Answer = dict[str, Any]


@dataclass(slots=True)
class SecurityGroup:
    group_id: str
    name: str
    cluster_id: str  # empty for the base
    known_at: float


@dataclass
class Cloud:
    chance: Chance
    tale: Tale
    hosts: dict[str, Host] = field(default_factory=dict)
    tokens: dict[str, tuple[str, str]] = field(default_factory=dict)
    addresses: dict[str, Held] = field(default_factory=dict)
    volumes: dict[str, Volume] = field(default_factory=dict)
    groups: dict[str, SecurityGroup] = field(default_factory=dict)
    keys: set[str] = field(default_factory=set)
    dry_until: dict[tuple[str, str], float] = field(default_factory=dict)
    drought: frozenset[tuple[str, str]] = frozenset()
    forbidden_until: float = 0.0
    refused: dict[tuple[str, int | None], dict[tuple[str, str, str], float]] = field(
        default_factory=dict
    )
    numbers: int = 0
    sender: tuple[str, bool] = ("", False)  # who asks, and whether it waits no more
    born: Callable[[Host], None] = lambda _: None
    ended: Callable[[Host | Held], None] = lambda _: None

    def __post_init__(self) -> None:
        if self.chance.hits("drought"):
            offers = [(kind, subnet) for kind in TYPES for subnet in SUBNETS]
            rest = self.chance.dice.choice((0, 0, 1, 3))
            self.drought = frozenset(self.chance.dice.sample(offers, len(offers) - rest))

    @property
    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def number(self) -> int:
        self.numbers += 1
        return self.numbers

    def do(self, action: str, asked: Answer) -> Answer:
        """The effect of one call, at once.

        Raises:
            KiteError: as EC2's code means.
        """
        bare = action.partition(":")[0]
        if self.chance.hits("throttle"):
            raise _refused("RequestLimitExceeded")
        if self.now < self.forbidden_until and not self.chance.calm:
            raise _refused("UnauthorizedOperation")
        return _ACTIONS[bare](self, asked)

    # machines -----------------------------------------------------------------------------------

    def run_instances(self, asked: Answer) -> Answer:
        token = asked["ClientToken"]
        parameters = repr(asked)
        if token in self.tokens:
            known, instance_id = self.tokens[token]
            if known != parameters:
                raise _refused("IdempotentParameterMismatch")
            host = self.hosts[instance_id]
            if self.now >= host.ended_at:
                raise _refused("IdempotentInstanceTerminated")
            return {"Instances": [host.api(self.now)]}
        if "KeyName" in asked and asked["KeyName"] not in self.keys:
            raise _refused("InvalidKeyPair.NotFound")
        interface = asked["NetworkInterfaces"][0]
        self._check_groups(interface["Groups"])
        if self.chance.hits("quota"):
            self._note(asked, "quota")
            raise _refused("VcpuLimitExceeded")
        self._capacity(asked, asked["InstanceType"], interface["SubnetId"])
        host = self._host(asked, interface)
        self.tokens[token] = (parameters, host.instance_id)
        return {"Instances": [host.api(self.now)]}

    def _check_groups(self, wanted: Iterable[str]) -> None:
        known = {g.group_id for g in self.groups.values() if g.known_at <= self.now}
        if not known.issuperset(wanted):
            raise _refused("InvalidGroup.NotFound")

    def _capacity(self, asked: Answer, kind: str, subnet: str) -> None:
        offer = (kind, subnet)
        if self.chance.hits("dry"):
            self.dry_until[offer] = self.now + self.chance.between(1, 900)
        dry = self.now < self.dry_until.get(offer, 0) and not self.chance.calm
        if dry or offer in self.drought:
            self._note(asked, "dry", kind, subnet)
            raise _refused("InsufficientInstanceCapacity")

    def _note(self, asked: Answer, *what: str) -> None:
        """Bad luck of a slot, or with its address of a whole cluster, and when it last was so.

        The judge asks for causes.
        """
        marks = tags.unpack(asked["TagSpecifications"][0]["Tags"])
        slot = int(marks[tags.SLOT]) if tags.SLOT in marks else None
        code, kind, subnet = (*what, "", "")[:3]
        self.refused.setdefault((marks[tags.CLUSTER], slot), {})[code, kind, subnet] = self.now

    def _host(self, asked: Answer, interface: Answer) -> Host:
        chance, now, number = self.chance, self.now, self.number()
        marks = tags.unpack(asked["TagSpecifications"][0]["Tags"])
        owner = tags.owner_of(marks)
        assert owner is not None
        shown = now + (chance.between(1, 120) if chance.hits("hide") else 0)
        running = now + (NEVER if chance.hits("never_boots") else chance.between(1, 40))
        host = Host(
            instance_id=f"i-{number:x}",
            cluster_id=owner.cluster,
            slot=owner.slot,
            attempt=owner.attempt,
            token=asked["ClientToken"],
            subnet_id=interface["SubnetId"],
            groups=tuple(interface["Groups"]),
            tags=marks,
            born=now,
            shown_at=shown,
            found_at=shown + (chance.between(1, 60) if chance.hits("lag") else 0),
            running_at=running,
            ssh_at=NEVER if chance.hits("no_ssh") else running + chance.between(0, 30),
            sender=self.sender,
        )
        if chance.hits("dies_at_boot"):
            host.ended_at, host.reason = running, "Server.InternalError"
            self._leave_volume(host)
        if chance.hits("slow_end"):
            host.ending = chance.between(5, 120)
        host.speaks_at = NEVER if chance.hits("mute") else chance.between(1, 40)
        if interface["AssociatePublicIpAddress"] or host.slot:
            host.public_ip = f"203.0.113.{number}"
        self.hosts[host.instance_id] = host
        self.tale.tell("ec2", f"{host.instance_id} is {owner.cluster}/{owner.slot}.{owner.attempt}")
        self.born(host)
        return host

    def terminate(self, asked: Answer) -> Answer:
        """One id that is not shown refuses all (EC2 API, TerminateInstances)."""
        wanted = [self.hosts.get(i) for i in asked["InstanceIds"]]
        if any(host is None or not host.shown(self.now) for host in wanted):
            raise _refused("InvalidInstanceID.NotFound", " ".join(asked["InstanceIds"]))
        for host in wanted:
            assert host is not None
            self.end(host, "Client.UserInitiatedShutdown")
        return {}

    def end(self, host: Host, why: str) -> None:
        if self.now < host.ended_at:
            host.ended_at, host.reason = self.now, why
            self.tale.tell("ec2", f"{host.instance_id} ends: {why}")
            self._leave_volume(host)
            self.ended(host)

    def _leave_volume(self, host: Host) -> None:
        """Whether the volume outlives its machine is settled once; it may come to light late."""
        if self.chance.hits("volume_stays"):
            lag = self.chance.between(0, 600) if self.chance.hits("lag") else 0
            volume = Volume(host, host.found_at + lag)
            self.volumes[volume.volume_id] = volume

    def describe_instances(self, asked: Answer) -> Answer:
        now = self.now
        if ids := asked.get("InstanceIds"):
            found = [self.hosts[i] for i in ids if i in self.hosts and self.hosts[i].shown(now)]
            if len(found) < len(ids):
                unknown = ", ".join(sorted(set(ids) - {h.instance_id for h in found}))
                raise _refused("InvalidInstanceID.NotFound", unknown)
        else:
            found = [h for h in self.hosts.values() if h.shown(now)]
            for one in asked.get("Filters", ()):
                name, values = one["Name"], one["Values"]
                found = [h for h in found if _matches(h, name, values, now)]
        date = format_datetime(at(now)) if "Filters" in asked else ""
        return {
            "Reservations": [{"Instances": [h.api(now) for h in found]}],
            "ResponseMetadata": {"HTTPHeaders": {"date": date}},
        }

    # what stands by -----------------------------------------------------------------------------

    def allocate(self, asked: Answer) -> Answer:
        if self.chance.hits("quota"):
            self._note(asked, "quota")
            raise _refused("AddressLimitExceeded")
        number = self.number()
        marks = tags.unpack(asked["TagSpecifications"][0]["Tags"])
        lag = self.chance.between(1, 20) if self.chance.hits("lag") else 0
        held = Held(
            f"eipalloc-{number:x}",
            f"198.18.0.{number}",
            marks[tags.CLUSTER],
            marks,
            self.now + lag,
        )
        self.addresses[held.allocation_id] = held
        self.tale.tell("ec2", f"{held.allocation_id} is {held.cluster_id}'s")
        return held.api()

    def associate(self, asked: Answer) -> Answer:
        host, held = self.hosts.get(asked["InstanceId"]), self.addresses.get(asked["AllocationId"])
        if held is None:
            raise _refused("InvalidAllocationID.NotFound")
        if host is None or not host.shown(self.now):
            raise _refused("InvalidInstanceID.NotFound", asked["InstanceId"])
        if host.machine(self.now) not in {Machine.RUNNING, Machine.STOPPED}:
            raise _refused("IncorrectInstanceState")
        for other in self.hosts.values():
            if held.association and other.association == held.association:
                other.association = other.public_ip = ""
        held.association = host.association = f"eipassoc-{self.number():x}"
        host.public_ip = held.public_ip
        return {"AssociationId": held.association}

    def release(self, asked: Answer) -> Answer:
        held = self.addresses.get(asked["AllocationId"])
        if held is None:
            raise _refused("InvalidAllocationID.NotFound")
        for host in self.hosts.values():
            if held.association and host.association == held.association and host.alive(self.now):
                raise _refused("InvalidIPAddress.InUse")
        del self.addresses[held.allocation_id]
        self.ended(held)
        self.tale.tell("ec2", f"{held.allocation_id} is given back")
        return {}

    def describe_addresses(self, asked: Answer) -> Answer:
        held = [a for a in self.addresses.values() if a.found_at <= self.now]
        for one in asked.get("Filters", ()):
            held = [a for a in held if _tagged(a.tags, one["Name"], one["Values"])]
        return {"Addresses": [a.api() for a in held]}

    def describe_volumes(self, asked: Answer) -> Answer:
        """Of machines that have not ended, and those that stayed."""
        now = self.now
        there = [v for v in self.volumes.values() if v.found_at <= now]
        for host in self.hosts.values():
            if host.alive(now) and host.found_at <= now:
                volume = Volume(host, host.found_at)
                if volume.volume_id not in self.volumes:
                    there.append(volume)
        found = [v.api(now) for v in there]
        for one in asked.get("Filters", ()):
            name, values = one["Name"], one["Values"]
            found = [v for v in found if _tagged(tags.unpack(v["Tags"]), name, values)]
        return {"Volumes": found}

    def delete_volume(self, asked: Answer) -> Answer:
        volume_id = asked["VolumeId"]
        if volume_id not in self.volumes:
            raise _refused("InvalidVolume.NotFound")
        if self.volumes[volume_id].host.alive(self.now):
            raise _refused("VolumeInUse")
        del self.volumes[volume_id]
        self.tale.tell("ec2", f"{volume_id} is deleted")
        return {}

    def images(self, asked: Answer) -> Answer:
        return {"Images": [{"ImageId": "ami-1", "RootDeviceName": "/dev/sda1"}]}

    def subnets(self, asked: Answer) -> Answer:
        found = [{"SubnetId": s, "VpcId": "vpc-1", "AvailabilityZone": s[-1]} for s in SUBNETS]
        return {"Subnets": found}

    def key_pairs(self, asked: Answer) -> Answer:
        return {"KeyPairs": [{"KeyName": name} for name in sorted(self.keys)]}

    def import_key(self, asked: Answer) -> Answer:
        self.keys.add(asked["KeyName"])
        return {}

    def delete_key(self, asked: Answer) -> Answer:
        self.keys.discard(asked["KeyName"])
        return {}


_ACTIONS: dict[str, Callable[[Cloud, Answer], Answer]] = {
    "RunInstances": Cloud.run_instances,
    "TerminateInstances": Cloud.terminate,
    "DescribeInstances": Cloud.describe_instances,
    "AllocateAddress": Cloud.allocate,
    "AssociateAddress": Cloud.associate,
    "ReleaseAddress": Cloud.release,
    "DescribeAddresses": Cloud.describe_addresses,
    "DescribeVolumes": Cloud.describe_volumes,
    "DeleteVolume": Cloud.delete_volume,
    "DescribeImages": Cloud.images,
    "DescribeSubnets": Cloud.subnets,
    "DescribeKeyPairs": Cloud.key_pairs,
    "ImportKeyPair": Cloud.import_key,
    "DeleteKeyPair": Cloud.delete_key,
}


def _refused(code: str, text: str = "sim") -> Exception:
    return refusals.failure(code, text)


def _matches(host: Host, name: str, values: list[str], now: float) -> bool:
    match name:
        case "client-token":
            return host.token in values
        case "instance-id":
            return host.instance_id in values
        case "instance-state-name":
            return host.machine(now).value in values
        case _:
            return host.found_at <= now and _tagged(host.tags, name, values)


def _tagged(marks: dict[str, str], name: str, values: list[str]) -> bool:
    kind, _, key = name.partition(":")
    assert kind == "tag", name
    return marks.get(key) in values
