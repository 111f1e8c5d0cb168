import pytest

from localcloud.strict.call import Call, Params, Reply
from localcloud.strict.control import Unacceptable, fault_from
from localcloud.strict.faults import Fault, FaultScript, Kind, refusal_of
from localcloud.strict.hiding import HiddenIds, asked_empty, fresh_ids


def call(action, **values):
    return Call(action, Params(values), "123456789012", "us-east-1")


RUN = call("RunInstances", InstanceType="m5.large")
LOOK = call("DescribeInstances")


def test_a_fault_meets_its_action_so_many_times_after_so_many_calls():
    script = FaultScript()
    script.add(Fault(Kind.RESET, action="Run*", times=2, skip=1))
    met = [bool(script.meeting(c)) for c in (RUN, LOOK, RUN, LOOK, RUN, RUN)]
    assert met == [False, False, True, False, True, False]
    assert [times for _, _, times in script.all()] == [2]


def test_zero_times_means_always_until_removed():
    script = FaultScript()
    assert not script.armed
    number = script.add(Fault(Kind.RESET, times=0))
    assert script.armed
    assert all(script.meeting(LOOK) for _ in range(50))
    script.remove(number)
    assert script.meeting(LOOK) == []
    script.add(Fault(Kind.RESET))
    script.clear()
    assert script.all() == []


@pytest.mark.parametrize(
    ("kind", "zone", "of_call", "wants"),
    [
        ("m5.large", "a", RUN, True),
        ("m5.*", "*", RUN, True),
        ("m5.large", "b", RUN, False),
        ("c5.*", "a", RUN, False),
        ("*", "*", LOOK, False),
    ],
)
def test_no_capacity_is_of_a_type_and_a_zone(kind, zone, of_call, wants):
    script = FaultScript()
    script.add(Fault(Kind.NO_CAPACITY, instance_type=kind, zone=zone))
    assert bool(script.meeting(of_call, "a")) is wants


@pytest.mark.parametrize(
    ("fault", "wanted"),
    [
        (Fault(Kind.ERROR, code="Oops", message="no", status=418), ("Oops", "no", 418)),
        (Fault(Kind.ERROR), ("InternalError", "", 400)),
        (Fault(Kind.THROTTLE), ("RequestLimitExceeded", "Request limit exceeded.", 503)),
        (
            Fault(Kind.NO_CAPACITY, code="Unsupported", message="x", status=409),
            ("Unsupported", "x", 409),
        ),
    ],
)
def test_coded_faults(fault, wanted):
    refusal = refusal_of(fault)
    assert (refusal.code, refusal.message, refusal.status) == wanted


def test_no_capacity_is_a_server_error_by_default():
    client_error = refusal_of(Fault(Kind.NO_CAPACITY, status=400))
    assert client_error is not None
    assert client_error.status == 400
    refusal = refusal_of(Fault(Kind.NO_CAPACITY))
    assert (refusal.code, refusal.status) == ("InsufficientInstanceCapacity", 500)


@pytest.mark.parametrize(
    "kind", [Kind.LOST_REPLY, Kind.RESET, Kind.DELAY, Kind.DELAY_REPLY, Kind.HIDE]
)
def test_the_others_carry_no_code(kind):
    assert refusal_of(Fault(kind)) is None


def test_a_fault_from_json():
    made = fault_from({"kind": "no-capacity", "instance-type": "m5.*", "times": 0, "seconds": 1})
    assert made == Fault(Kind.NO_CAPACITY, instance_type="m5.*", times=0, seconds=1)
    for wrong in ({"kind": "x"}, {"kind": "reset", "colour": 1}, {"kind": "reset", "times": "2"}):
        with pytest.raises(Unacceptable):
            fault_from(wrong)


MADE = Reply(
    200, b"<instanceId>i-1a</instanceId><groupId>sg-1</groupId><instanceId>i-1a</instanceId>"
)


def test_fresh_ids_are_those_the_action_makes():
    assert fresh_ids(RUN, MADE) == ("i-1a",)
    assert fresh_ids(call("CreateSecurityGroup"), MADE) == ("sg-1",)
    assert fresh_ids(LOOK, MADE) == ()


def test_a_hidden_id_is_unseen_for_so_many_looks():
    hidden = HiddenIds()
    hidden.hide(("i-1a",), 2, empty=False)
    named = call("CreateTags", Resources=["i-1a"])
    other = call("DescribeVolumes")
    assert hidden.unseen_by(other, 0) == {}
    assert hidden.unseen_by(RUN, 0) == {}
    assert hidden.unseen_by(LOOK, 0) == {"i-1a": False}
    assert hidden.unseen_by(named, 0) == {"i-1a": False}
    assert hidden.unseen_by(LOOK, 0) == {}
    hidden.hide(("sg-1",), 9, empty=True)
    hidden.clear()
    assert hidden.unseen_by(call("DescribeSecurityGroups"), 0) == {}


def test_an_empty_answer_is_asked_for_by_filter():
    two = call("DescribeInstances", InstanceIds=["i-1", "i-2"])
    assert dict(asked_empty(two, {"i-1": True}).params.values) == {"InstanceIds": ["i-2"]}
    one = call("DescribeInstances", InstanceIds=["i-1"], Filters=[{"Name": "n", "Values": ["v"]}])
    assert dict(asked_empty(one, {"i-1": True}).params.values) == {
        "Filters": [{"Name": "n", "Values": ["v"]}, {"Name": "instance-id", "Values": ["i-1"]}]
    }
    assert asked_empty(one, {"i-1": False}) is one
    assert asked_empty(LOOK, {"i-1": True}) is LOOK
