"""Deaths while something is taken back: by a provisioner that comes late, by a refused list."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing

import pytest

from tests.chaos import cloud
from tests.chaos.portal import Portal
from tests.chaos.troupe import Troupe, hostless_settings
from tests.crash.story import FIRST, PLAN, SECOND, World, until

UNDOING = ("before-undo", "after-undo")
POINTS = {"provisioner": UNDOING, "whitelist": UNDOING}
ADDRESS = "before-AllocateAddress"
LATE = dict(zip(("provisioner-1", "provisioner-2"), UNDOING, strict=True))
REFUSED = {
    "kind": "error",
    "action": "AuthorizeSecurityGroupIngress",
    "code": "RulesPerSecurityGroupLimitExceeded",
    "times": 0,
}


@pytest.fixture
def three(tmp_path):
    """Provisioners whose sweep looks every second."""
    with ExitStack() as stack:
        running = stack.enter_context(cloud.running(tmp_path))
        settings = hostless_settings(running.ready, tmp_path)
        settings |= {"KITE_PROVISIONER_SWEEP_SECONDS": "1", "KITE_PROVISIONER_UNSEEN_SECONDS": "1"}
        troupe = Troupe(tmp_path / "run", settings, provisioners=3)
        stack.callback(troupe.stop)
        troupe.start_all()
        portal = stack.enter_context(closing(Portal(troupe.url)))
        yield World(running, troupe, portal)


def freeze_in_mid_address(world, provisioner):
    """It alone takes up a cluster that is deleted meanwhile, and stands still before its call."""
    name = f"of-{provisioner}"
    world.troupe.arm(provisioner, ADDRESS, freeze=True)
    world.troupe.thaw(provisioner)
    world.portal.create(name)
    until(lambda: world.troupe.sprung(provisioner), f"{provisioner} being at {ADDRESS}")
    assert world.portal.delete(name).status_code == 202
    return name


def test_what_a_late_provisioner_died_over_goes_all_the_same(three):
    """Addresses that came after the end of their clusters: the sweep finds what is left."""
    troupe, portal = three.troupe, three.portal
    for provisioner in troupe.of("provisioner"):
        troupe.freeze(provisioner)
    held = [freeze_in_mid_address(three, late) for late in LATE]
    troupe.thaw("provisioner-3")  # takes over when the leases are over
    for name in held:
        portal.until(name, None)
    before = len(three.cloud.calls("AllocateAddress"))

    with three.supervised():
        for late, point in LATE.items():
            troupe.arm(late, point)
            troupe.thaw(late)
        for late, point in LATE.items():
            until(lambda name=late: troupe.sprung(name), f"{late} being at {point}")
        assert len(three.cloud.calls("AllocateAddress")) == before + len(LATE)
        until(lambda: three.left() == [], "all that came late being gone")
        troupe.await_serving(*LATE, supervised=True)
    assert sorted(three.deaths) == sorted(LATE)


@pytest.mark.parametrize("point", UNDOING)
def test_a_refused_list_whose_service_dies_over_it(world, point):
    """The user asks again when nobody answers, and EC2 takes the list by then."""
    name = f"refused-{point}"
    portal, troupe = world.portal, world.troupe
    portal.create(name, [FIRST], PLAN)
    group = world.whitelist_group(name)
    world.cloud.control("POST", "faults", REFUSED)
    troupe.arm("whitelist-1", point)
    with ThreadPoolExecutor(1) as beside:
        setting = beside.submit(portal.whitelist, name, [SECOND])
        until(lambda: troupe.sprung("whitelist-1"), f"the whitelist service being at {point}")
        world.cloud.control("DELETE", "faults")
        answer = setting.result()
    assert answer.status_code == 200, answer.text
    assert world.deaths == ["whitelist-1"]
    assert [one["source-ip"] for one in answer.json()["ip-ranges"]] == [SECOND]
    until(lambda: world.rules(group) == {(SECOND, 19530)}, f"{SECOND} in force")
    portal.delete(name)
    portal.until(name, None)
    assert world.left() == []
