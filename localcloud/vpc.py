"""The network every account starts with: one VPC, one subnet, a way to the (pretend) internet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from localcloud.ground import Ground

CANONICAL = "099720109477"
"""Owner of the Ubuntu images on AWS (Ubuntu documentation, "Find Ubuntu images on AWS")."""


@dataclass(frozen=True)
class Base:
    """What launches need to name."""

    vpc_id: str
    subnet_id: str
    image_id: str


def ensure(client: Any, ground: Ground, region: str) -> Base:
    """Find or make the network, and choose the image; the same answer every time."""
    vpc_id = _vpc(client, ground)
    return Base(vpc_id, _subnet(client, ground, vpc_id, region), image(client))


def image(client: Any) -> str:
    """The first Ubuntu server image for x86-64 that the API offers, else the first image at all."""
    images = client.describe_images()["Images"]
    fitting = [
        one
        for one in images
        if one.get("OwnerId") == CANONICAL
        and one.get("Architecture") == "x86_64"
        and one.get("RootDeviceType") == "ebs"
    ]
    chosen = max(fitting or images, key=lambda one: (one.get("Name", ""), one["ImageId"]))
    return str(chosen["ImageId"])


def _vpc(client: Any, ground: Ground) -> str:
    cidr = str(ground.vpc)
    found = client.describe_vpcs(Filters=[{"Name": "cidr", "Values": [cidr]}])["Vpcs"]
    if found:
        return str(found[0]["VpcId"])
    vpc_id = str(client.create_vpc(CidrBlock=cidr)["Vpc"]["VpcId"])
    client.modify_vpc_attribute(VpcId=vpc_id, EnableDnsHostnames={"Value": True})
    gateway = client.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    client.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc_id)
    of_vpc = [{"Name": "vpc-id", "Values": [vpc_id]}]
    table = client.describe_route_tables(Filters=of_vpc)["RouteTables"][0]["RouteTableId"]
    client.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    return vpc_id


def _subnet(client: Any, ground: Ground, vpc_id: str, region: str) -> str:
    of_vpc = [{"Name": "vpc-id", "Values": [vpc_id]}]
    found = client.describe_subnets(Filters=of_vpc)["Subnets"]
    if found:
        return str(found[0]["SubnetId"])
    made = client.create_subnet(
        VpcId=vpc_id, CidrBlock=str(ground.vpc), AvailabilityZone=f"{region}a"
    )
    return str(made["Subnet"]["SubnetId"])
