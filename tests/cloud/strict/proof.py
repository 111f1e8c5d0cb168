"""A rule's test must pass with the rule and fail without it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.exceptions import ClientError

IMAGE = "ami-785db401"
_FAILURES = (AssertionError, ClientError, KeyError, IndexError, pytest.fail.Exception)

Test = Callable[[Any], None]


def needs(rule: str) -> Callable[[Test], Test]:
    """Run the test twice: as it is, and with `rule` off, when it must fail."""

    def wrap(test: Test) -> Test:
        @pytest.mark.parametrize("rule_is", ["on", "off"])
        def both(strict_ec2: Any, rule_is: str) -> None:
            if rule_is == "on":
                test(strict_ec2)
                return
            with strict_ec2.api.chain.without(rule), pytest.raises(_FAILURES):
                test(strict_ec2)

        both.__name__ = test.__name__
        both.__doc__ = rule
        return both

    return wrap


@contextmanager
def refused(code: str, text: str = "") -> Iterator[None]:
    """EC2 must refuse with exactly this code."""
    with pytest.raises(ClientError) as caught:
        yield
    error = caught.value.response["Error"]
    assert error["Code"] == code, error
    assert text in error["Message"]


def launch(ec2: Any, **params: Any) -> dict[str, Any]:
    """One small instance; parameters are those of RunInstances."""
    wanted = {"ImageId": IMAGE, "InstanceType": "m5.large", "MinCount": 1, "MaxCount": 1}
    return ec2.run_instances(**{**wanted, **params})["Instances"][0]


def seen(ec2: Any, instance_id: str) -> dict[str, Any]:
    found = ec2.describe_instances(InstanceIds=[instance_id])["Reservations"]
    return found[0]["Instances"][0]


def network(ec2: Any, cidr: str = "10.88.0.0/16") -> tuple[str, str]:
    """(VPC id, subnet id) of a new network with DNS host names."""
    vpc_id = ec2.create_vpc(CidrBlock=cidr)["Vpc"]["VpcId"]
    ec2.modify_vpc_attribute(VpcId=vpc_id, EnableDnsHostnames={"Value": True})
    subnet = ec2.create_subnet(VpcId=vpc_id, CidrBlock=cidr.replace("/16", "/24"))["Subnet"]
    return vpc_id, subnet["SubnetId"]


def group(ec2: Any, vpc_id: str, name: str = "kite-test") -> str:
    return ec2.create_security_group(GroupName=name, Description="a test", VpcId=vpc_id)["GroupId"]


def tcp(port: int, *cidrs: str) -> dict[str, Any]:
    ranges = [{"CidrIp": cidr} for cidr in cidrs]
    return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": ranges}
