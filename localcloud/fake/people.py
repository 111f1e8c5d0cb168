"""A cloud with many machines in it, made in this process: what tests of scale begin with."""

from __future__ import annotations

import re
from dataclasses import dataclass

from localcloud.fake.estate import IMAGES
from localcloud.strict.server import Ec2Api

_PER_CLUSTER = 2


@dataclass(frozen=True, slots=True)
class Crowd:
    """Instances in the order of their launch, `clusters` of two each."""

    subnet_id: str
    instance_ids: tuple[str, ...]
    clusters: tuple[str, ...]


def populate(api: Ec2Api, nodes: int, *, install: str = "test", disks: bool = True) -> Crowd:
    """Launch so many machines of Kite's form, with Kite's tags. Raises ValueError on refusal."""
    vpc = _first(api, "CreateVpc", CidrBlock="10.0.0.0/8")
    subnet = _first(api, "CreateSubnet", VpcId=vpc, CidrBlock="10.0.0.0/9")
    ids: list[str] = []
    clusters: list[str] = []
    for number in range(nodes):
        slot = number % _PER_CLUSTER
        if slot == 0:
            clusters.append(f"c{len(clusters):016x}")
        tags = {
            "kite:install": install,
            "kite:cluster": clusters[-1],
            "kite:slot": str(slot),
            "kite:attempt": "1",
        }
        ids.append(_launch(api, subnet, f"crowd-{number}", tags, disks=disks))
    return Crowd(subnet, tuple(ids), tuple(clusters))


def _launch(api: Ec2Api, subnet: str, token: str, tags: dict[str, str], *, disks: bool) -> str:
    pairs = [{"Key": key, "Value": value} for key, value in tags.items()]
    kinds = ("instance", "volume", "network-interface") if disks else ("instance",)
    return _first(
        api,
        "RunInstances",
        ImageId=IMAGES[0][0],
        InstanceType="m5.large",
        MinCount=1,
        MaxCount=1,
        ClientToken=token,
        NetworkInterfaces=[{"DeviceIndex": 0, "SubnetId": subnet}],
        TagSpecifications=[{"ResourceType": kind, "Tags": pairs} for kind in kinds],
    )


_MADE = {
    "CreateVpc": re.compile(rb"<vpcId>([^<]+)<"),
    "CreateSubnet": re.compile(rb"<subnetId>([^<]+)<"),
    "RunInstances": re.compile(rb"<instanceId>([^<]+)<"),
}


def _first(api: Ec2Api, action: str, **params: object) -> str:
    """The id a call has made."""
    reply = api.ask(action, **params)
    found = _MADE[action].search(reply.body)
    if reply.code != "OK" or found is None:
        raise ValueError(f"{action} was refused: {reply.code}")
    return found[1].decode()
