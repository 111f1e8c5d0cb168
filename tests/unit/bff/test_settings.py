import pytest

from bff.settings import Auth, Settings, portal_keys, words
from kite.settings import SettingsRefused, load

SECRET = {"KITE_SECRET": "an install secret of tests"}
KEY = "k" * 32


def refused(**changes: str) -> str:
    with pytest.raises(SettingsRefused) as caught:
        load(Settings, SECRET | {f"KITE_{k.upper()}": v for k, v in changes.items()})
    return str(caught.value)


def taken(**changes: str) -> Settings:
    return load(Settings, SECRET | {f"KITE_{k.upper()}": v for k, v in changes.items()})


def test_the_defaults_serve_loopback_only():
    settings = taken()
    assert (settings.host, settings.port, settings.auth) == (
        "127.0.0.1",
        8080,
        Auth.TRUSTED_HEADER,
    )
    assert settings.on_loopback


def test_a_secret_is_needed():
    with pytest.raises(SettingsRefused, match="KITE_SECRET must be set"):
        load(Settings, {})


@pytest.mark.parametrize("listen", ["0.0.0.0:8080", "[::]:8080", "10.0.0.1:1", "kite.test:80"])
def test_a_header_is_not_believed_from_everywhere(listen: str):
    assert "loopback only" in refused(bff_listen=listen)
    assert taken(bff_listen=listen, bff_trust_everybody="true").bff_listen == listen
    signed = taken(bff_listen=listen, auth="signed-header", bff_portal_keys=f"p={KEY}")
    assert signed.auth is Auth.SIGNED_HEADER


@pytest.mark.parametrize("listen", ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "localhost:1"])
def test_loopback_is_known_in_its_forms(listen: str):
    assert taken(bff_listen=listen).on_loopback


@pytest.mark.parametrize("listen", ["8080", ":8080", "a:b", "a:70000", ""])
def test_an_address_needs_host_and_port(listen: str):
    assert "host:port" in refused(bff_listen=listen)


def test_signing_needs_a_portal_with_a_long_key():
    assert "must name a portal" in refused(auth="signed-header")
    assert "32+ characters" in refused(bff_portal_keys="p=short")
    assert "32+ characters" in refused(bff_portal_keys=f"={KEY}")


def test_a_key_is_never_shown():
    assert KEY not in repr(taken(bff_portal_keys=f"p={KEY}"))
    assert "short" not in refused(bff_portal_keys="p=short")


def test_lists_are_comma_separated():
    assert words(" a, b ,,c ") == ("a", "b", "c")
    found = portal_keys(taken(bff_portal_keys=f"p={KEY}, q={KEY}=").bff_portal_keys)
    assert found == {"p": KEY.encode(), "q": f"{KEY}=".encode()}


def test_proxies_are_networks():
    assert "KITE_BFF_TRUSTED_PROXIES" in refused(bff_trusted_proxies="10.0.0.1/8")
    assert taken(bff_trusted_proxies="10.0.0.0/8, fd00::/8")
