"""What a chaos does to machines, against the fast EC2: nothing is counted that was not done."""

from types import SimpleNamespace

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from localcloud.fake.people import populate
from localcloud.fake.server import running
from tests.chaos.hosts import STARTED, Hosts
from tests.chaos.plan import FOR_GOOD, Disturbance, Do

STOP = Disturbance(2.0, Do.STOP_HOST, seconds=4.0)
REBOOT = Disturbance(2.0, Do.REBOOT_HOST)


@pytest.fixture
def api():
    with running() as api:
        yield api


@pytest.fixture
def hosts(api):
    ec2 = boto3.client(
        "ec2",
        endpoint_url=api.endpoint,
        region_name="us-east-1",
        aws_access_key_id="x",
        aws_secret_access_key="x",
        config=Config(proxies={}, retries={"total_max_attempts": 1}),
    )
    yield Hosts(SimpleNamespace(ec2=ec2))
    ec2.close()


@pytest.fixture
def machine(api):
    return populate(api, 1).instance_ids[0]


def state(hosts, instance_id):
    found = hosts.cloud.ec2.describe_instances(InstanceIds=[instance_id])
    return found["Reservations"][0]["Instances"][0]["State"]["Name"]


def test_where_no_machine_runs_it_is_tried_again(api, hosts):
    wait, again = hosts.meet(REBOOT)
    assert wait > 0
    assert not hosts.counts
    made = populate(api, 1).instance_ids
    assert again() is None
    assert hosts.counts == {"reboot a host": 1}
    assert tuple(api.take_reboots()) == made


def test_what_is_refused_is_not_counted(api, hosts, machine, monkeypatch):
    api.hold_stopping = True
    monkeypatch.setattr(hosts, "_running", lambda: [machine])
    hosts.cloud.ec2.stop_instances(InstanceIds=[machine])
    assert hosts.meet(REBOOT) is not None
    assert not hosts.counts


def test_a_machine_is_started_again_once_it_is_down(api, hosts, machine):
    api.hold_stopping = True
    wait, start = hosts.meet(STOP)
    assert (wait, state(hosts, machine)) == (4.0, "stopping")
    wait, start = start()
    assert STARTED not in hosts.counts
    api.mark_stopped(machine)
    assert start() is None
    assert state(hosts, machine) == "running"
    assert hosts.counts == {"stop a host": 1, STARTED: 1}


def test_a_machine_that_never_starts_is_told(api, hosts, machine):
    api.hold_stopping = True
    _, start = hosts.meet(STOP)
    with pytest.raises(TimeoutError, match=machine) as told:
        hosts.start(machine, last=0.0)
    assert isinstance(told.value.__cause__, ClientError)
    hosts.cloud.ec2.terminate_instances(InstanceIds=[machine])
    assert start() is None  # its user deleted it


def test_for_good_is_for_good(hosts, machine):
    assert hosts.meet(Disturbance(2.0, Do.STOP_HOST, seconds=FOR_GOOD)) is None
    assert hosts.counts == {"stop a host for good": 1}
    assert hosts.met == {machine}
    assert state(hosts, machine) == "stopped"


def test_after_the_end_nobody_is_met_but_what_stands_still_is_started(hosts, machine):
    _, start = hosts.meet(STOP)
    hosts.over = True
    assert hosts.meet(REBOOT) is None
    assert start() is None
    assert state(hosts, machine) == "running"
    assert hosts.counts == {"stop a host": 1, STARTED: 1}
