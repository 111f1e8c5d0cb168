"""Sockets reach only this machine and the namespaces made by the local cloud."""

import ipaddress
import os
import socket

import hypothesis
import pytest

from tests.worlds.strict import Clock

# On CI the same examples every time; at a desk new ones with every run.
hypothesis.settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    hypothesis.settings.load_profile("ci")

GROUNDS = tuple(
    text for number in range(80, 90) for text in (f"10.{number}.0.0/16", f"198.18.{number}.0/24")
)  # local clouds: the demo has 88, tests have their own
ALLOWED = tuple(
    ipaddress.ip_network(text)
    for text in ("127.0.0.0/8", "::1/128", "10.80.0.0/12", "198.18.0.0/15")
)


class OutsideWorld(Exception):
    """A test tried to reach an address that is not of this machine."""


def allowed(address):
    if not isinstance(address, tuple):
        return True  # a Unix socket
    host = address[0]
    if host in {"", "localhost"}:
        return True
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return False
    return any(found in network for network in ALLOWED)


@pytest.fixture(autouse=True, scope="session")
def only_this_machine():
    """Guards Python's own sockets; programs that tests start run in namespaces or on loopback."""
    before = {name: getattr(socket.socket, name) for name in ("connect", "connect_ex")}

    def guarded(name):
        def connect(self, address, *rest):
            if not allowed(address):
                raise OutsideWorld(f"a test must not connect to {address!r}")
            return before[name](self, address, *rest)

        return connect

    patch = pytest.MonkeyPatch()
    for name in before:
        patch.setattr(socket.socket, name, guarded(name))
    yield
    patch.undo()


@pytest.fixture(scope="session")
def one_ec2():
    """The strict EC2 and its clock, started when first asked for; its user resets it."""
    from localcloud.strict.inproc import running

    clock = Clock()
    with running(clock=clock) as api:
        yield api, clock
