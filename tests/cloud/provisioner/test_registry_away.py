"""The registry's database goes away under a busy provisioner: EC2 is not written to meanwhile."""

from __future__ import annotations

import pytest

from kite.errors import KiteError, Unavailable
from provisioner.registry import RegistryClient
from provisioner.settings import Settings
from registry_svc.mongodb import Mongo
from registry_svc.store import Store
from tests.cloud.provisioner.house import SECRET, House
from tests.faults.conftest import (  # noqa: F401 - fixtures
    database,
    relay,
    uri_by,
    wire_server,
)
from tests.faults.relay import Mode

pytestmark = pytest.mark.wire


class FarHouse(House):
    """Its registry keeps its records in a database that is reached by `uri`."""

    def _store(self) -> Store:
        return Store(Mongo(self.folder, "unused", prove=False))


@pytest.fixture
async def far(strict_ec2, ground, clients_and_session, relay, database):  # noqa: F811
    clients, session = clients_and_session
    settings = Settings(
        install="test",
        secret=SECRET,
        provisioner_image_id=ground.image,
        provisioner_subnets=",".join(ground.subnets),
        provisioner_poll_seconds=0.05,
        provisioner_settled_seconds=1.0,
        provisioner_ssh_seconds=1,
        provisioner_lease_seconds=20,
    )
    uri = uri_by(relay, timeout_ms=1_500).replace("/?", f"/{database}?")
    house = FarHouse(strict_ec2, clients, settings, uri, session)
    await house.start()
    yield house
    relay.become(Mode.PASS)
    await house.close()


async def test_nothing_is_done_to_ec2_that_could_not_be_noted_first(far, relay, monkeypatch):  # noqa: F811
    refused = []
    for name in ("claim", "commit"):
        monkeypatch.setattr(RegistryClient, name, _noting(getattr(RegistryClient, name), refused))
    far.ssh = False  # in a second the machine is to be replaced, which needs three writes
    await far.create()
    await far.eventually(far.machines)
    relay.become(Mode.CUT)
    before = far.writes()
    await far.eventually(lambda: len(refused) > 3, seconds=30)
    with pytest.raises(Unavailable):
        await far.create("dogs")
    assert far.writes() == before
    relay.become(Mode.PASS)
    far.ssh = True
    await far.create("dogs")
    for name in ("cats", "dogs"):
        await far.until("RUNNING", name, seconds=60)
    assert len(far.machines()) == 2
    for name in ("cats", "dogs"):
        await far.delete(name)
        await far.until("DELETED", name, seconds=60)
    assert not any(far.left().values())


def _noting(real, refused):
    async def call(self, *args):
        try:
            return await real(self, *args)
        except KiteError as failed:
            refused.append(failed.reason)
            raise

    return call
