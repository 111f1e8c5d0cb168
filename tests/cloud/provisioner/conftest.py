from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from kite.clock import SystemClock
from provisioner.ec2 import client as ec2_client
from provisioner.ec2 import describer
from provisioner.ec2.client import Ec2
from provisioner.settings import Settings
from tests.cloud.provisioner.house import SECRET, House
from tests.worlds.strict import NoLimits
from whitelist_svc.session import Session


@pytest.fixture(scope="package")
def clients_and_session(_strict_session):
    """Clients of the process, as in production: one session each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "kite")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "kite")
        session = Session(
            region="us-east-1", endpoint=_strict_session.api.endpoint, buckets=NoLimits()
        )
        session._built()
        clients = ec2_client.build("us-east-1", _strict_session.api.endpoint)
    yield clients, session
    session._pool.shutdown()


@dataclass(frozen=True)
class Ground:
    """A network with two zones and a way out, and an image."""

    vpc: str
    subnets: tuple[str, ...]
    image: str


@pytest.fixture(scope="package")
def _image(_strict_session):
    return _strict_session.plain().describe_images()["Images"][0]["ImageId"]


@pytest.fixture
def ground(strict_ec2, _image) -> Ground:
    ec2 = strict_ec2.plain()
    vpc = ec2.create_vpc(CidrBlock="10.88.0.0/16")["Vpc"]["VpcId"]
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.88.{n}.0/24", AvailabilityZone=zone)["Subnet"]
        for n, zone in ((1, "us-east-1a"), (2, "us-east-1b"))
    ]
    return Ground(vpc, tuple(s["SubnetId"] for s in subnets), _image)


@pytest.fixture
async def ec2(strict_ec2, clients_and_session) -> AsyncIterator[Ec2]:
    """The product's own door to the strict EC2."""
    door = Ec2(lambda: clients_and_session[0], SystemClock())
    yield door
    door.close()


@pytest.fixture(autouse=True)
def quick_looks(monkeypatch):
    """Machines of the strict EC2 boot in no time."""
    monkeypatch.setattr(describer, "TICK_SECONDS", 0.03)


@pytest.fixture
def tuned() -> dict[str, object]:
    """Settings that a test wants otherwise: parametrise it."""
    return {}


@pytest.fixture
async def house(strict_ec2, ground, clients_and_session, tmp_path, tuned) -> AsyncIterator[House]:
    clients, session = clients_and_session
    settings = Settings(
        install="test",
        secret=SECRET,
        provisioner_image_id=ground.image,
        provisioner_subnets=",".join(ground.subnets),
        provisioner_poll_seconds=0.05,
        provisioner_settled_seconds=1.0,
        **tuned,
    )
    made = House(strict_ec2, clients, settings, tmp_path, session)
    await made.start()
    yield made
    await made.close()
