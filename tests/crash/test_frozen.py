"""Provisioners that stand still for longer than their leases, at the worst places.

Three of them freeze, each with a cluster in its hands; a fourth takes over; then all three go on
as if nothing had happened. Nothing is launched twice for good, and no late word is believed.
"""

from contextlib import ExitStack, closing

import pytest

from tests.chaos import cloud
from tests.chaos.portal import Portal
from tests.chaos.troupe import Troupe, hostless_settings
from tests.crash.story import World, until

ADDRESS, LAUNCH, COMMIT = "before-AllocateAddress", "before-RunInstances", "after-act"


@pytest.fixture
def four(tmp_path):
    with cloud.running(tmp_path) as running:
        settings = hostless_settings(running.ready, tmp_path)
        settings |= {"KITE_PROVISIONER_UNSEEN_SECONDS": "1"}
        troupe = Troupe(tmp_path / "run", settings, provisioners=4)
        with ExitStack() as stack:
            stack.callback(troupe.stop)
            troupe.start_all()
            portal = stack.enter_context(closing(Portal(troupe.url)))
            yield World(running, troupe, portal)


def hold(world, name, provisioner, point):
    """Let one provisioner alone take up a cluster, and freeze at the point."""
    world.troupe.arm(provisioner, point, freeze=True)
    world.troupe.thaw(provisioner)
    assert world.portal.create(name).status_code in {200, 202}
    until(lambda: world.troupe.sprung(provisioner), f"{provisioner} being at {point}")
    return world.portal.read(name)["cluster-id"]


def test_late_provisioners_change_nothing_for_good(four):
    troupe, portal = four.troupe, four.portal
    for provisioner in troupe.of("provisioner"):
        troupe.freeze(provisioner)
    kept = hold(four, "kept", "provisioner-1", LAUNCH)
    dropped = hold(four, "dropped", "provisioner-2", ADDRESS)
    launched = hold(four, "launched", "provisioner-3", COMMIT)
    assert portal.delete("dropped").status_code == 202

    troupe.thaw("provisioner-4")  # takes over when the leases are over
    portal.until("kept", "running")
    portal.until("launched", "running")
    portal.until("dropped", None)
    assert [len(four.machines(one)) for one in (kept, dropped, launched)] == [1, 0, 1]
    addresses = len(four.cloud.calls("AllocateAddress"))
    before = {name: portal.read(name)["instances"] for name in ("kept", "launched")}

    for late in ("provisioner-1", "provisioner-2", "provisioner-3"):
        troupe.thaw(late)
    until(lambda: len(four.cloud.calls("AllocateAddress")) > addresses, "the late address")
    for late in ("provisioner-1", "provisioner-2", "provisioner-3"):
        until(lambda name=late: "lease over" in troupe.log(name), f"{late} hearing that it is late")
    until(lambda: len(four.addresses()) == len(before), "the late address being given back")
    assert [len(four.machines(one)) for one in (kept, dropped, launched)] == [1, 0, 1]
    assert {name: portal.read(name)["instances"] for name in before} == before

    for name in before:
        portal.delete(name)
    for name in before:
        portal.until(name, None)
    assert four.left() == []
