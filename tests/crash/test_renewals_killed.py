"""Deaths between a lease that was made longer and whoever asked for it."""

from contextlib import ExitStack, closing

import pytest

from tests.chaos import cloud
from tests.chaos.portal import Portal
from tests.chaos.troupe import Troupe, hostless_settings
from tests.crash.story import World, until

POINTS = {"registry": ("before-reply-Renew",), "provisioner": ("after-answer-Renew",)}
CASES = [(service, point) for service, points in POINTS.items() for point in points]


@pytest.fixture
def short(tmp_path):
    """A world of the shortest leases there are."""
    with ExitStack() as stack:
        running = stack.enter_context(cloud.running(tmp_path))
        settings = hostless_settings(running.ready, tmp_path)
        assert settings["KITE_PROVISIONER_LEASE_SECONDS"] == "20"
        troupe = Troupe(tmp_path / "run", settings)
        stack.callback(troupe.stop)
        troupe.start_all()
        portal = stack.enter_context(closing(Portal(troupe.url)))
        world = World(running, troupe, portal)
        with world.supervised():
            yield world


@pytest.mark.parametrize(("service", "point"), CASES)
def test_a_renewal_that_nobody_heard_of_changes_nothing(short, service, point):
    """The cluster is held while its groups are waited for."""
    troupe, portal, name = short.troupe, short.portal, f"{service}-1"
    troupe.freeze("whitelist-1")
    troupe.arm(name, point)
    portal.create("cats")
    until(lambda: troupe.sprung(name), f"{name} being at {point}")
    troupe.thaw("whitelist-1")
    running = portal.until("cats", "running")
    assert len(short.machines(running["cluster-id"])) == 1
    assert short.deaths == [name]
    portal.delete("cats")
    portal.until("cats", None)
    assert short.left() == []
