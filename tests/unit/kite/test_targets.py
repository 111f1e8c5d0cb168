"""Addresses in settings: what can be an address passes as it is, everything else says the form."""

import pytest

from kite import targets
from kite.settings import Common, SettingsRefused, load


@pytest.mark.parametrize(
    "text", ["127.0.0.1:0", "0.0.0.0:8080", "[::]:1", "[fe80::1%eth0]:65535", "kite-1.test:80"]
)
def test_a_service_can_listen_at(text):
    assert targets.listening(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "", "8080", ":8080", "a:", "a:b", "a:-1", "a:70000", "a:65536", "a:1 ", " a:1", "a b:1",
        "::1:80", "[::1]", "http://a:1", "a:1/x", "a:1,b:2", "a:٣",
    ],
)  # fmt: skip
def test_a_service_cannot_listen_at(text):
    with pytest.raises(ValueError, match="expected host:port, for example"):
        targets.listening(text)


@pytest.mark.parametrize(
    "text",
    ["registry:50051", "[::1]:50051", "dns:///registry:50051", "dns://10.0.0.2/r:1", "dns:r:1"],
)
def test_callers_can_be_sent_to(text):
    assert targets.targets(text) == targets.target(text) == text


@pytest.mark.parametrize(
    "text", ["", "registry", "registry:0", "registry:65536", "dns:///registry", "http://r:1", "r:x"]
)
def test_callers_cannot_be_sent_to(text):
    with pytest.raises(ValueError, match="expected host:port"):
        targets.targets(text)


def test_several_are_addresses_with_ports():
    assert targets.targets("10.0.0.1:1,10.0.0.2:2") == "10.0.0.1:1,10.0.0.2:2"


@pytest.mark.parametrize("text", ["10.0.0.1:1, 10.0.0.2:2", "a:1,b:2", "10.0.0.1:1,", "[::1]:1,a"])
def test_several_in_another_form_are_refused(text):
    with pytest.raises(ValueError, match="expected several as IP:port,IP:port"):
        targets.targets(text)


@pytest.mark.parametrize("name", ["KITE_REGISTRY", "KITE_PROVISIONER", "KITE_WHITELIST"])
def test_settings_name_the_address_that_is_none(name):
    with pytest.raises(SettingsRefused, match=f"{name}: expected host:port"):
        load(Common, {"KITE_ENV_FILE": "/dev/null", name: "localhost"})
    several = {"KITE_ENV_FILE": "/dev/null", name: "10.0.0.1:1,10.0.0.2:1"}
    if name == "KITE_REGISTRY":
        assert load(Common, several).registry == "10.0.0.1:1,10.0.0.2:1"
    else:
        with pytest.raises(SettingsRefused, match=name):
            load(Common, several)
