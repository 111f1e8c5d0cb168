import pytest

from localcloud.strict.call import Refusal
from localcloud.strict.rules.subnets import address_verdict, next_address


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ("10.0.0.5", None),
        ("10.0.0.4", "InvalidIPAddress.InUse"),
        ("10.1.0.4", "InvalidParameterValue"),
        ("rubbish", "InvalidParameterValue"),
    ],
)
def test_which_address_may_be_asked_for(wanted, code):
    refusal = address_verdict(wanted, "10.0.0.0/24", {"10.0.0.4"})
    assert (refusal.code if refusal else None) == code


def test_fresh_first_then_freed_then_none():
    assert next_address(iter("abc"), {"a"}, ["z"], "c") == "b"
    assert next_address(iter("ac"), {"a", "y"}, ["y", "z"], "c") == "z"
    with pytest.raises(Refusal, match="InsufficientFreeAddressesInSubnet"):
        next_address(iter("c"), {"y"}, ["y"], "c")
