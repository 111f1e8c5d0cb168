"""Where machines go: image, subnets and zones, found from the settings."""

import asyncio
from collections.abc import Awaitable, Collection
from dataclasses import dataclass
from typing import Any, TypeVar

from kite.errors import CloudRefused, KiteError
from kite.telemetry import logs
from provisioner.ec2.client import Ec2
from provisioner.facts import Lack, Place, Reach, Site
from provisioner.launch_refusals import for_good
from provisioner.sight import BAD_SETTING
from provisioner.status import dns_suffix
from provisioner.tokens import login_key_name

T = TypeVar("T")
_log = logs.get(__name__)
ROOT_DEVICE = "/dev/sda1"
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


async def find(ec2: Ec2, wanted: Wanted) -> Site:
    """Ask EC2 for what the settings name, side by side.

    What it refuses to show, or does not have, is the site's `lack`, told by the setting's name.

    Raises:
        KiteError: EC2 was silent, or asked to slow down.
    """
    image, subnets = await asyncio.gather(
        _unless_refused(_image(ec2, wanted)), _unless_refused(_subnets(ec2, wanted))
    )
    refused = next((one for one in (image, subnets) if isinstance(one, KiteError)), None)
    shown = {} if isinstance(image, KiteError) else image
    zones = [] if isinstance(subnets, KiteError) else subnets
    return Site(
        install=wanted.install,
        image_id=shown.get("ImageId", ""),
        root_device=shown.get("RootDeviceName") or ROOT_DEVICE,
        vpc_id=zones[0]["VpcId"] if zones else "",
        places=tuple(Place(s["SubnetId"], s["AvailabilityZone"]) for s in zones),
        key_pair=login_key_name(wanted.install),
        root_gib=wanted.root_gib,
        reach=wanted.reach,
        dns_suffix=dns_suffix(wanted.region),
        lack=Lack(refused.reason, refused.description) if refused else None,
    )


async def _unless_refused(asked: Awaitable[T]) -> T | KiteError:
    try:
        return await asked
    except KiteError as failed:
        if not for_good(failed):
            raise
        return failed


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
        # By filter: one that is gone is left out while others are there; by id all is refused.
        named = {"Name": "subnet-id", "Values": list(wanted.subnet_ids)}
        asked: dict[str, Any] = {"Filters": [named]}
    else:
        asked = {"Filters": [{"Name": "default-for-az", "Values": ["true"]}]}
    name = "KITE_PROVISIONER_SUBNETS"
    answer = await _ask(ec2, "DescribeSubnets", asked, name)
    subnets: list[dict[str, Any]] = answer.get("Subnets", [])
    order = {subnet_id: at for at, subnet_id in enumerate(wanted.subnet_ids)}
    _check(subnets, order.keys(), name)
    return sorted(
        subnets, key=lambda s: (order.get(s["SubnetId"], 0), s["AvailabilityZone"], s["SubnetId"])
    )


def _check(subnets: list[dict[str, Any]], named: Collection[str], setting: str) -> None:
    if not subnets and named:
        raise _bad(setting, f"names no subnet of this region: {', '.join(named)}")
    if not subnets:
        raise _bad(setting, "is empty and the account has no default subnet")
    if gone := set(named) - {subnet["SubnetId"] for subnet in subnets}:
        _log.warning(
            "subnets that a setting names are not there", setting=setting, ids=sorted(gone)
        )
    if (count := len({subnet["VpcId"] for subnet in subnets})) != 1:
        raise _bad(setting, f"must lie in one VPC, not in {count}")


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
    return CloudRefused(f"{setting} {what}", reason=BAD_SETTING)
