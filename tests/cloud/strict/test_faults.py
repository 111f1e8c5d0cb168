import json
import threading
import urllib.error
import urllib.request

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    HTTPClientError,
    ReadTimeoutError,
)

from localcloud.strict.faults import Fault, Kind
from tests.cloud.strict.proof import group, launch, network, refused, seen

CUT = (ConnectionClosedError, HTTPClientError)


def instances(ec2):
    return [i for r in ec2.describe_instances()["Reservations"] for i in r["Instances"]]


def test_a_lost_reply_has_its_effect(strict_ec2):
    ec2 = strict_ec2.client()
    strict_ec2.api.faults.add(Fault(Kind.LOST_REPLY, action="RunInstances"))
    with pytest.raises(CUT):
        launch(ec2, ClientToken="t")
    (made,) = instances(ec2)
    assert launch(ec2, ClientToken="t")["InstanceId"] == made["InstanceId"]


def test_nine_lost_replies_still_make_one_instance(strict_ec2):
    ec2 = strict_ec2.client(retries={"total_max_attempts": 10, "mode": "legacy"})
    strict_ec2.api.faults.add(Fault(Kind.LOST_REPLY, action="RunInstances", times=9))
    for _ in range(9):
        with pytest.raises(CUT):
            launch(strict_ec2.client(), ClientToken="t")
    launch(ec2, ClientToken="t")
    assert len(instances(ec2)) == 1


def test_a_refusal_can_be_lost_too(strict_ec2):
    ec2 = strict_ec2.client()
    strict_ec2.api.faults.add(Fault(Kind.LOST_REPLY, action="RunInstances"))
    with pytest.raises(CUT):
        launch(ec2, InstanceType="no.such")
    with refused("InvalidParameterValue"):
        launch(ec2, InstanceType="no.such")


def test_a_reset_comes_before_the_effect(strict_ec2):
    ec2 = strict_ec2.client()
    strict_ec2.api.faults.add(Fault(Kind.RESET, action="RunInstances"))
    with pytest.raises(CUT):
        launch(ec2)
    assert instances(ec2) == []
    calls = strict_ec2.api.calls.all(action="RunInstances")
    assert [one.code for one in calls] == ["dropped"], calls


def test_a_reply_slower_than_the_client_waits_has_its_effect(strict_ec2):
    hasty, ec2 = strict_ec2.client(read_timeout=0.2), strict_ec2.client()
    strict_ec2.api.faults.add(Fault(Kind.DELAY_REPLY, action="RunInstances", seconds=1.0))
    with pytest.raises(ReadTimeoutError):
        launch(hasty, ClientToken="t")
    made = launch(ec2, ClientToken="t")["InstanceId"]
    assert [one["InstanceId"] for one in instances(ec2)] == [made]


def test_a_call_that_nobody_waits_for_is_not_met_by_the_next_test(strict_ec2):
    strict_ec2.api.faults.add(Fault(Kind.DELAY_REPLY, action="RunInstances", seconds=60))
    with pytest.raises(ReadTimeoutError):
        launch(strict_ec2.client(read_timeout=0.2))
    assert strict_ec2.api.calls.count("RunInstances") == 0  # it is noted when it ends
    strict_ec2.api.reset()
    assert strict_ec2.api._front._at_work == 0
    assert (strict_ec2.api.calls.count(), instances(strict_ec2.client())) == (0, [])


def test_a_delay_does_not_hold_up_others(strict_ec2):
    ec2, slow = strict_ec2.client(), strict_ec2.client(max_pool_connections=1)
    strict_ec2.api.faults.add(Fault(Kind.DELAY, action="CreateVpc", seconds=5.0))
    waiting = threading.Thread(target=slow.create_vpc, kwargs={"CidrBlock": "10.1.0.0/16"})
    waiting.start()
    assert instances(ec2) == []
    assert waiting.is_alive()
    strict_ec2.api._front._pause.set()
    waiting.join()
    strict_ec2.api._front._pause.clear()


def test_a_coded_error_comes_so_many_times_after_so_many_calls(strict_ec2):
    ec2 = strict_ec2.client()
    fault = Fault(Kind.ERROR, action="AllocateAddress", code="Oops", status=500, times=2, skip=1)
    strict_ec2.api.faults.add(fault)
    ec2.allocate_address()
    for _ in range(2):
        with refused("Oops"):
            ec2.allocate_address()
    ec2.allocate_address()
    assert [met for _, _, met in strict_ec2.api.faults.all()] == [2]


def test_no_capacity_by_type_and_zone(strict_ec2):
    ec2 = strict_ec2.client()
    fault = Fault(Kind.NO_CAPACITY, instance_type="m5.*", zone="us-east-1a", times=0)
    number = strict_ec2.api.faults.add(fault)
    here, there = {"AvailabilityZone": "us-east-1a"}, {"AvailabilityZone": "us-east-1b"}
    with refused("InsufficientInstanceCapacity"):
        launch(ec2, Placement=here)
    with refused("InsufficientInstanceCapacity"):
        launch(ec2)
    launch(ec2, Placement=there)
    launch(ec2, Placement=here, InstanceType="c5.large")
    strict_ec2.api.faults.remove(number)
    launch(ec2, Placement=here)


def test_throttling_is_503_and_the_sdk_tries_again(strict_ec2):
    patient = strict_ec2.client(retries={"total_max_attempts": 3, "mode": "standard"})
    strict_ec2.api.faults.add(Fault(Kind.THROTTLE, action="Describe*", times=1))
    assert instances(patient) == []
    codes = [one.code for one in strict_ec2.api.calls.all(action="DescribeInstances")]
    assert codes == ["RequestLimitExceeded", "OK"]
    strict_ec2.api.faults.add(Fault(Kind.THROTTLE, action="*", times=1))
    with pytest.raises(ClientError) as caught:
        instances(strict_ec2.client())
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503


def test_a_fresh_instance_is_hidden_from_the_next_looks(strict_ec2):
    ec2 = strict_ec2.client()
    strict_ec2.api.faults.add(Fault(Kind.HIDE, action="RunInstances", describes=3))
    made = launch(ec2, ClientToken="t")["InstanceId"]
    ec2.describe_instance_type_offerings()  # no look at instances
    with refused("InvalidInstanceID.NotFound"):
        seen(ec2, made)
    assert instances(ec2) == []
    assert launch(ec2, ClientToken="t")["InstanceId"] == made
    with refused("InvalidInstanceID.NotFound"):
        ec2.create_tags(Resources=[made], Tags=[{"Key": "k", "Value": "v"}])
    assert seen(ec2, made)["InstanceId"] == made
    assert len(instances(ec2)) == 1


def test_a_fresh_instance_may_also_be_an_empty_list(strict_ec2):
    ec2 = strict_ec2.client()
    old = launch(ec2)["InstanceId"]
    strict_ec2.api.faults.add(Fault(Kind.HIDE, action="RunInstances", describes=2, empty=True))
    made = launch(ec2)["InstanceId"]
    assert ec2.describe_instances(InstanceIds=[made])["Reservations"] == []
    both = ec2.describe_instances(InstanceIds=[made, old])["Reservations"]
    assert [r["Instances"][0]["InstanceId"] for r in both] == [old]
    assert seen(ec2, made)


def test_a_fresh_group_is_hidden_from_authorize(strict_ec2):
    ec2 = strict_ec2.client()
    vpc_id, subnet_id = network(ec2)
    strict_ec2.api.faults.add(Fault(Kind.HIDE, action="CreateSecurityGroup", describes=2))
    made = group(ec2, vpc_id)
    rule = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
    with refused("InvalidGroup.NotFound"):
        ec2.authorize_security_group_ingress(GroupId=made, IpPermissions=[rule])
    with refused("InvalidGroup.NotFound"):
        launch(ec2, SubnetId=subnet_id, SecurityGroupIds=[made])
    ec2.authorize_security_group_ingress(GroupId=made, IpPermissions=[rule])


def control(api, method, path, value=None):
    body = None if value is None else json.dumps(value).encode()
    request = urllib.request.Request(f"{api.endpoint}/_kite/{path}", body, method=method)
    try:
        with urllib.request.urlopen(request) as reply:
            return reply.status, json.loads(reply.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def test_faults_over_http(strict_ec2):
    api, ec2 = strict_ec2.api, strict_ec2.client()
    status, made = control(
        api, "POST", "faults", [{"kind": "error", "action": "AllocateAddress", "code": "Oops"}]
    )
    assert status == 200
    with refused("Oops"):
        ec2.allocate_address()
    _, armed = control(api, "GET", "faults")
    assert [(one["number"], one["met"]) for one in armed] == [(made["numbers"][0], 1)]
    control(api, "POST", "faults", {"kind": "no-capacity", "instance-type": "m5.*", "times": 0})
    control(api, "DELETE", "faults")
    assert control(api, "GET", "faults") == (200, [])
    launch(ec2)


def test_one_fault_is_taken_away_by_its_number(strict_ec2):
    api = strict_ec2.api
    _, made = control(api, "POST", "faults", [{"kind": "reset"}, {"kind": "throttle"}])
    control(api, "DELETE", f"faults?number={made['numbers'][0]}")
    assert [one["kind"] for one in control(api, "GET", "faults")[1]] == ["throttle"]


def test_knobs_over_http(strict_ec2):
    api, ec2 = strict_ec2.api, strict_ec2.client()
    values = {"throttled": True, "rates": {"AllocateAddress": [1, 0]}}
    assert control(api, "POST", "knobs", values)[1]["rates"] == {"AllocateAddress": [1, 0]}
    ec2.allocate_address()
    with refused("RequestLimitExceeded"):
        ec2.allocate_address()
    assert control(api, "GET", "calls")[1]["by-code"] == {"OK": 1, "RequestLimitExceeded": 1}
    status, said = control(api, "POST", "knobs", {"throttled": False, "colour": "red"})
    assert status == 400
    assert "colour" in said["error"]
    assert control(api, "GET", "knobs")[1]["throttled"] is True
    control(api, "POST", "reset")
    assert control(api, "GET", "knobs")[1]["throttled"] is False


@pytest.mark.parametrize(
    "wrong", [{"kind": "rain"}, {}, {"kind": "error", "colour": "red"}, ["x"], 7]
)
def test_a_fault_that_makes_no_sense_is_refused(strict_ec2, wrong):
    status, said = control(strict_ec2.api, "POST", "faults", wrong)
    assert status == 400
    assert said["error"]
    assert strict_ec2.api.faults.all() == []


def test_calls_over_http(strict_ec2):
    api, ec2 = strict_ec2.api, strict_ec2.client()
    launch(ec2, UserData="a secret")
    with refused("InvalidInstanceID.NotFound"):
        seen(ec2, "i-0123456789abcdef0")
    _, seen_calls = control(api, "GET", "calls")
    assert seen_calls["by-action"] == {"RunInstances": 1, "DescribeInstances": 1}
    assert (seen_calls["writing"], seen_calls["describing"]) == (1, 1)
    codes = [one["code"] for one in seen_calls["calls"]]
    assert codes == ["OK", "InvalidInstanceID.NotFound"]
    assert "m5.large" in seen_calls["calls"][0]["summary"]
    assert "UserData" not in json.dumps(seen_calls)
    _, later = control(api, "GET", f"calls?since={seen_calls['calls'][0]['number']}")
    assert [one["action"] for one in later["calls"]] == ["DescribeInstances"]
    control(api, "DELETE", "calls")
    assert control(api, "GET", "calls")[1]["by-action"] == {}


def test_other_control_paths(strict_ec2):
    api, ec2 = strict_ec2.api, strict_ec2.client()
    assert control(api, "GET", "nothing")[0] == 404
    _, rules = control(api, "GET", "rules")
    assert rules["client-token"].startswith("https://docs.aws.amazon.com/")
    made = launch(ec2)["InstanceId"]
    assert control(api, "POST", "failed", {"instance-id": made}) == (200, {})
    assert seen(ec2, made)["StateReason"]["Code"] == "Client.InternalError"
    assert control(api, "POST", "reset") == (200, {})
    assert instances(ec2) == []


def test_the_internal_endpoint_knows_no_faults_and_leaves_no_trace(strict_ec2):
    strict_ec2.api.faults.add(Fault(Kind.ERROR, times=0, code="Oops"))
    assert instances(strict_ec2.plain()) == []
    assert strict_ec2.api.calls.count() == 0
