"""Published limits: every bucket empties at its size, fills at its rate, and is nobody else's."""

from dataclasses import replace

import pytest

from localcloud.strict.knobs import Knobs
from localcloud.strict.rates import Rate
from tests.cloud.strict.proof import launch, needs, refused

LIMIT = "RequestLimitExceeded"


def on(strict_ec2, **more):
    strict_ec2.api.knobs = Knobs(throttled=True, **more)
    return strict_ec2.client()


@needs("request-rates")
def test_five_launches_at_once_and_two_a_second(strict_ec2):
    ec2 = on(strict_ec2)
    for _ in range(5):
        launch(ec2)
    with refused(LIMIT, "ec2:RunInstances because it exceeded its request rate"):
        launch(ec2)
    strict_ec2.clock.advance(1)
    for _ in range(2):
        launch(ec2)
    with refused(LIMIT):
        launch(ec2)
    assert strict_ec2.api.calls.by_code() == {"OK": 7, LIMIT: 2}


@needs("request-rates")
def test_a_throttled_call_is_503_and_changes_nothing(strict_ec2):
    ec2 = on(strict_ec2, rates={"AllocateAddress": Rate(0, 0)})
    with pytest.raises(ec2.exceptions.ClientError) as caught:
        ec2.allocate_address()
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
    assert ec2.describe_addresses()["Addresses"] == []


@needs("request-rates")
def test_refused_requests_and_dry_runs_are_requests(strict_ec2):
    ec2 = on(strict_ec2, rates={"RunInstances": Rate(2, 0)})
    with refused("InvalidParameterValue"):
        launch(ec2, InstanceType="no.such")
    with refused("DryRunOperation"):
        launch(ec2, DryRun=True)
    with refused(LIMIT):
        launch(ec2)


@needs("request-rates")
def test_each_action_and_each_region_has_its_own_bucket(strict_ec2):
    ec2 = on(strict_ec2, rates={"AllocateAddress": Rate(1, 0)})
    ec2.allocate_address()
    with refused(LIMIT):
        ec2.allocate_address()
    ec2.create_vpc(CidrBlock="10.0.0.0/16")
    strict_ec2.client(region="eu-west-1").allocate_address()


@needs("request-rates")
def test_a_describe_that_nothing_narrows_has_a_smaller_bucket(strict_ec2):
    ec2 = on(strict_ec2, throttle_pace=0)
    made = launch(ec2)["InstanceId"]
    for _ in range(50):
        ec2.describe_instances(InstanceIds=[made])
    with refused(LIMIT):
        ec2.describe_instances()
    for _ in range(100):
        ec2.describe_instances(MaxResults=5)
    with refused(LIMIT):
        ec2.describe_instances(Filters=[{"Name": "instance-id", "Values": [made]}])


@needs("resource-rates")
def test_what_a_call_starts_or_ends_is_counted_one_by_one(strict_ec2):
    small = {"RunInstances": Rate(3, 2), "TerminateInstances": Rate(2, 0)}
    ec2 = on(strict_ec2, resource_rates=small)
    made = launch(ec2, MinCount=2, MaxCount=2, ClientToken="t")["InstanceId"]
    with refused(LIMIT, "resource rate"):
        launch(ec2, MinCount=2, MaxCount=2)
    assert launch(ec2, MinCount=2, MaxCount=2, ClientToken="t")["InstanceId"] == made
    launch(ec2)
    strict_ec2.clock.advance(1)
    last = launch(ec2, MinCount=2, MaxCount=2)["InstanceId"]
    ec2.terminate_instances(InstanceIds=[made, last])
    with refused(LIMIT, "resource rate"):
        ec2.terminate_instances(InstanceIds=[made])


def test_nothing_is_throttled_unless_asked_for(strict_ec2):
    ec2 = strict_ec2.client()
    strict_ec2.api.knobs = replace(Knobs(), rates={"DescribeVpcs": Rate(0, 0)})
    ec2.describe_vpcs()
