"""The same rules and faults for who asks from inside the process, without HTTP."""

import pytest

from localcloud.strict.faults import Fault, Kind
from localcloud.strict.listen import Dropped


def addresses(strict_ec2):
    return strict_ec2.plain().describe_addresses()["Addresses"]


def allocate(strict_ec2):
    return strict_ec2.api.ask("AllocateAddress", Domain="vpc")


def codes(strict_ec2):
    return [one.code for one in strict_ec2.api.calls.all(action="AllocateAddress")]


def test_a_call_is_answered_and_noted(strict_ec2):
    reply = allocate(strict_ec2)
    assert (reply.code, codes(strict_ec2)) == ("OK", ["OK"])
    assert addresses(strict_ec2)[0]["AllocationId"] in reply.body.decode()


def test_a_rule_refuses(strict_ec2):
    reply = strict_ec2.api.ask("ReleaseAddress", AllocationId="eipalloc-00000000000000000")
    assert (reply.status, reply.code) == (400, "InvalidAllocationID.NotFound")


@pytest.mark.parametrize(
    ("kind", "made"), [(Kind.LOST_REPLY, 1), (Kind.RESET, 0)], ids=["after", "before"]
)
def test_an_answer_that_is_lost_is_dropped(strict_ec2, kind, made):
    strict_ec2.api.faults.add(Fault(kind, action="AllocateAddress"))
    with pytest.raises(Dropped):
        allocate(strict_ec2)
    assert (len(addresses(strict_ec2)), codes(strict_ec2)) == (made, ["dropped"])
    assert allocate(strict_ec2).code == "OK"


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (
            Fault(Kind.ERROR, code="AddressLimitExceeded"),
            "AddressLimitExceeded",
        ),
        (Fault(Kind.THROTTLE, action="*"), "RequestLimitExceeded"),
    ],
)
def test_a_coded_error_is_a_reply(strict_ec2, fault, code):
    strict_ec2.api.faults.add(fault)
    assert (allocate(strict_ec2).code, addresses(strict_ec2)) == (code, [])
    assert allocate(strict_ec2).code == "OK"


def test_a_late_answer_is_late_here_too(strict_ec2):
    waited = []
    strict_ec2.api.faults.add(Fault(Kind.DELAY, action="AllocateAddress", seconds=7))
    strict_ec2.api._front._pause.wait = waited.append
    try:
        assert allocate(strict_ec2).code == "OK"
    finally:
        del strict_ec2.api._front._pause.wait
    assert waited == [7]
