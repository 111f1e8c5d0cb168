"""A whitelist service that dies after its user was answered and before the change ended.

EC2 keeps it waiting: each call is answered later than anybody waits, so after 20 s the user hears
that the list is being applied, by an operation that runs.
"""

from tests.crash.story import FIRST, PLAN, SECOND, until

NAME = "answered"
SLOW = {
    "kind": "delay",
    "action": "AuthorizeSecurityGroupIngress",
    "seconds": 29,
    "times": 0,
}


def test_the_operation_of_a_killed_service_ends_with_its_list_in_force(world):
    portal, troupe = world.portal, world.troupe
    portal.create(NAME, [FIRST], PLAN)
    group = world.whitelist_group(NAME)
    world.cloud.control("POST", "faults", SLOW)
    answer = portal.whitelist(NAME, [SECOND])
    path = f"/v1/operations/{answer.json()['operation-id']}"
    assert portal.ask("GET", path).json()["status"] == "running"
    troupe.kill("whitelist-1")
    world.cloud.control("DELETE", "faults")
    until(lambda: portal.ask("GET", path).json()["status"] != "running", "the operation's end")
    assert portal.ask("GET", path).json()["status"] == "succeeded"
    assert world.rules(group) == {(SECOND, 19530)}
    troupe.await_serving("whitelist-1", supervised=True)
    assert world.deaths == ["whitelist-1"]
    portal.delete(NAME)
    portal.until(NAME, None)
    assert world.left() == []
