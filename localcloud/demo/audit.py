"""Is anything left? Asked of EC2 itself and of this machine, not of Kite."""

from __future__ import annotations

from typing import Any

import boto3
import httpx


def ec2_client(endpoint: str, region: str) -> Any:
    """A client of our own; the local cloud takes any key."""
    return boto3.client(
        "ec2",
        endpoint_url=endpoint,
        region_name=region,
        aws_access_key_id="audit",
        aws_secret_access_key="audit",  # noqa: S106 - the local cloud takes any
    )


def leftovers(ec2: Any) -> list[str]:
    """One line per kind of thing that EC2 still has; empty when all is gone."""
    reservations = ec2.describe_instances()["Reservations"]
    found = {
        "instances": [
            i["InstanceId"]
            for r in reservations
            for i in r["Instances"]
            if i["State"]["Name"] != "terminated"
        ],
        "volumes": [v["VolumeId"] for v in ec2.describe_volumes()["Volumes"]],
        "addresses": [a["PublicIp"] for a in ec2.describe_addresses()["Addresses"]],
        "interfaces": [
            n["NetworkInterfaceId"] for n in ec2.describe_network_interfaces()["NetworkInterfaces"]
        ],
        "groups": [
            g["GroupName"]
            for g in ec2.describe_security_groups()["SecurityGroups"]
            if g["GroupName"] != "default"
        ],
        "key pairs": [k["KeyName"] for k in ec2.describe_key_pairs()["KeyPairs"]],
    }
    return [f"{kind}: {', '.join(ids)}" for kind, ids in found.items() if ids]


def calls(endpoint: str) -> dict[str, int]:
    """EC2 actions that were made so far, with their counts, from the local cloud's own log."""
    answer = httpx.get(f"{endpoint}/_kite/calls", timeout=10)
    found: dict[str, int] = answer.json()["by-action"]
    return found
