import pytest

from kite.settings import SettingsRefused, load
from whitelist_svc.settings import Settings


def read(**environ):
    return load(Settings, {"KITE_ENV_FILE": "/dev/null", **environ})


def test_defaults_are_usable():
    found = read()
    assert found.whitelist_listen == "127.0.0.1:50053"
    assert found.whitelist_control_cidrs == ()
    assert found.policy.per_family == 60
    assert (found.policy.least_prefix_v4, found.policy.least_prefix_v6) == (16, 48)
    assert not found.policy.public


def test_control_ranges_are_canonical():
    found = read(
        KITE_WHITELIST_CONTROL_CIDRS="10.88.0.0/16, 198.18.88.1 ,2001:DB8::/32,10.88.0.0/16"
    )
    assert found.whitelist_control_cidrs == ("10.88.0.0/16", "198.18.88.1/32", "2001:db8::/32")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("CONTROL_CIDRS", "0.0.0.0/0", "too many"),
        ("CONTROL_CIDRS", "::/0", "too many"),
        ("CONTROL_CIDRS", "10.1.2.3/8", "host bits"),
        ("CONTROL_CIDRS", "nonsense", "no IPv4 or IPv6"),
        ("CONTROL_CIDRS", ",".join(f"10.{n}.0.0/16" for n in range(31)), "at most 30"),
        ("WEB_GUI_PORT", "22", "never reach"),
        ("WEB_GUI_PORT", "19530", "never reach"),
        ("WEB_GUI_PORT", "0", "greater"),
        ("LEAST_PREFIX_V4", "0", "greater"),
        ("MEND_SECONDS", "0", "greater"),
        ("UNKNOWN", "1", "unknown setting"),
    ],
)
def test_faults_are_named(name, value, said):
    with pytest.raises(SettingsRefused, match=said) as caught:
        read(**{f"KITE_WHITELIST_{name}": value})
    assert f"KITE_WHITELIST_{name}" in str(caught.value)
