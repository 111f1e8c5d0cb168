"""Read only what Kite reads of an instance: a page of a thousand costs a third of the CPU.

botocore walks every member that an answer could have, and reads times with a parser made for any
form of date. Members left out here are not looked for. Source: performance reference, P16; the
shapes are botocore's public model of DescribeInstances.
"""

from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_ec2.client import EC2Client

RESERVATION = frozenset({"Instances"})
INSTANCE = frozenset(
    {
        "BlockDeviceMappings",
        "ClientToken",
        "ImageId",
        "InstanceId",
        "InstanceType",
        "KeyName",
        "LaunchTime",
        "PrivateIpAddress",
        "PublicIpAddress",
        "RootDeviceName",
        "SecurityGroups",
        "State",
        "StateReason",
        "SubnetId",
        "Tags",
    }
)
"""What provisioner/ec2/see.py, provisioner/sweep/facts.py and provisioner/adoption.py read."""
DISK, EBS = frozenset({"DeviceName", "Ebs"}), frozenset({"VolumeId"})


def lean(client: "EC2Client") -> "EC2Client":
    """The same client, whose DescribeInstances answers hold these members only."""
    operation = client.meta.service_model.operation_model("DescribeInstances")
    described: Any = operation.output_shape
    reservation = described.members["Reservations"].member
    instance = reservation.members["Instances"].member
    disk = instance.members["BlockDeviceMappings"].member
    _keep(disk.members["Ebs"], EBS)
    _keep(disk, DISK)
    _keep(instance, INSTANCE)
    _keep(reservation, RESERVATION)
    return client


def moment(text: str) -> datetime:
    """A time in EC2's form (ISO 8601 with Z), any other as botocore reads it."""
    if text.endswith("Z"):
        with suppress(ValueError):
            return datetime.fromisoformat(text)
    from botocore.utils import parse_timestamp

    read: datetime = parse_timestamp(text)
    return read


def _keep(shape: Any, names: frozenset[str]) -> None:
    """Raises KeyError for a name the model has not: a misspelt member would be missed."""
    kept = {name: shape.members[name] for name in names}
    shape.members.clear()
    shape.members.update(kept)
