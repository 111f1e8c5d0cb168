from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from provisioner.ec2 import client as ec2_client
from provisioner.settings import Settings
from tests.cloud.provisioner.house import SECRET, House
from whitelist_svc.session import Session


@pytest.fixture(scope="session")
def _ec2_clients(_strict_session):
    """Clients of the process, as in production: one session each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "kite")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "kite")
        session = Session(region="us-east-1", endpoint=_strict_session.api.endpoint)
        session._client.result()
        clients = ec2_client.build("us-east-1", _strict_session.api.endpoint)
    yield clients, session
    session._pool.shutdown()


@pytest.fixture
async def house(strict_ec2, _ec2_clients, tmp_path) -> AsyncIterator[House]:
    clients, session = _ec2_clients
    ec2 = strict_ec2.plain()
    vpc = ec2.create_vpc(CidrBlock="10.88.0.0/16")["Vpc"]["VpcId"]
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.88.{n}.0/24", AvailabilityZone=zone)["Subnet"]
        for n, zone in ((1, "us-east-1a"), (2, "us-east-1b"))
    ]
    settings = Settings(
        install="test",
        secret=SECRET,
        provisioner_image_id=ec2.describe_images()["Images"][0]["ImageId"],
        provisioner_subnets=",".join(s["SubnetId"] for s in subnets),
        provisioner_poll_seconds=0.05,
        provisioner_settled_seconds=1.0,
    )
    made = House(strict_ec2, clients, settings, tmp_path, session)
    await made.start()
    yield made
    await made.close()
