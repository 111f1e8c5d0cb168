"""Where machines go: image, subnets and zones, found once from the settings."""

import asyncio
from dataclasses import dataclass
from typing import Any

from kite.errors import CloudRefused, KiteError
from provisioner.ec2.client import Ec2
from provisioner.facts import Place, Reach, Site
from provisioner.status import dns_suffix
from provisioner.tokens import login_key_name

# Owner of Ubuntu's images by partition (Ubuntu docs, "Find Ubuntu images on AWS").
CANONICAL = "099720109477"
CANONICAL_ELSEWHERE = {"cn-": "837727238323", "us-gov-": "513442679011"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """The settings that name places and images; empty image or subnets = found by EC2."""

    install: str
    region: str
    image_id: str
    image_name: str
    subnet_ids: tuple[str, ...]
    root_gib: int
    reach: Reach


@dataclass(frozen=True, slots=True)
class Found:
    """`root_device` is what the image calls its root volume."""

    site: Site
    root_device: str


async def find(ec2: Ec2, wanted: Wanted) -> Found:
    """Ask EC2 for what the settings name, side by side.

    Raises:
        CloudRefused: BAD_SETTING with the name of the setting that does not fit.
        KiteError: EC2 refused or was silent.
    """
    image, subnets = await asyncio.gather(_image(ec2, wanted), _subnets(ec2, wanted))
    vpcs = {subnet["VpcId"] for subnet in subnets}
    if len(vpcs) != 1:
        raise _bad("KITE_PROVISIONER_SUBNETS", f"must lie in one VPC, not in {len(vpcs)}")
    site = Site(
        install=wanted.install,
        image_id=image["ImageId"],
        vpc_id=vpcs.pop(),
        places=tuple(Place(s["SubnetId"], s["AvailabilityZone"]) for s in subnets),
        key_pair=login_key_name(wanted.install),
        root_gib=wanted.root_gib,
        reach=wanted.reach,
        dns_suffix=dns_suffix(wanted.region),
    )
    return Found(site, image.get("RootDeviceName") or "/dev/sda1")


def canonical(region: str) -> str:
    """The account that publishes Ubuntu's images in this region."""
    owners = (o for start, o in CANONICAL_ELSEWHERE.items() if region.startswith(start))
    return next(owners, CANONICAL)


async def _image(ec2: Ec2, wanted: Wanted) -> dict[str, Any]:
    if wanted.image_id:
        asked: dict[str, Any] = {"ImageIds": [wanted.image_id]}
    else:
        filters = [
            {"Name": "name", "Values": [wanted.image_name]},
            {"Name": "state", "Values": ["available"]},
            {"Name": "architecture", "Values": ["x86_64"]},
        ]
        asked = {"Owners": [canonical(wanted.region)], "Filters": filters}
    name = "KITE_PROVISIONER_IMAGE_ID" if wanted.image_id else "KITE_PROVISIONER_IMAGE_NAME"
    images = (await _ask(ec2, "DescribeImages", asked, name)).get("Images", [])
    if not images:
        raise _bad(name, "names no image in this region")
    newest: dict[str, Any] = max(images, key=lambda i: (i.get("CreationDate", ""), i["ImageId"]))
    return newest


async def _subnets(ec2: Ec2, wanted: Wanted) -> list[dict[str, Any]]:
    if wanted.subnet_ids:
        asked: dict[str, Any] = {"SubnetIds": list(wanted.subnet_ids)}
    else:
        asked = {"Filters": [{"Name": "default-for-az", "Values": ["true"]}]}
    name = "KITE_PROVISIONER_SUBNETS"
    answer = await _ask(ec2, "DescribeSubnets", asked, name)
    subnets: list[dict[str, Any]] = answer.get("Subnets", [])
    if not subnets:
        raise _bad(name, "is empty and the account has no default subnet")
    order = {subnet_id: at for at, subnet_id in enumerate(wanted.subnet_ids)}
    return sorted(
        subnets, key=lambda s: (order.get(s["SubnetId"], 0), s["AvailabilityZone"], s["SubnetId"])
    )


async def _ask(ec2: Ec2, action: str, asked: dict[str, Any], setting: str) -> dict[str, Any]:
    """The answer; an id that EC2 does not know is told by the setting it came from."""
    try:
        return await ec2.call(action, asked)
    except KiteError as failed:
        code = failed.context.get("aws-code", "")
        if code.startswith(("InvalidAMIID", "InvalidSubnet")):
            raise _bad(setting, f"does not fit: {failed.description}") from failed
        raise


def _bad(setting: str, what: str) -> CloudRefused:
    return CloudRefused(f"{setting} {what}", reason="BAD_SETTING")
