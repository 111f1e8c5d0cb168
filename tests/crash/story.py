"""One story over HTTP, create to gone, and what must be true of it however often things died."""

import itertools
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from kite import tags
from localcloud.demo import audit
from tests.chaos.cloud import Cloud
from tests.chaos.portal import PATIENCE, Portal
from tests.chaos.troupe import INSTALL, Troupe

FIRST, SECOND = "192.0.2.1/32", "198.51.100.0/24"
PLAN, SLOTS = "T2", 2
PLANS = f"""
any-instance-type: {{workers: 0, disk: [8, 99], except: []}}
plans:
  {PLAN}: {{master: m5.large, worker: m5.large, workers: 1, disk: [8, 99], description: two}}
"""
NUMBERS = itertools.count()
# What differs between any two stories: ids, addresses, times.
OWN = {
    *("milvus-url", "milvus-name", "milvs-name", "subnet-id", "group-id", "aws-group-name"),
    *("instance-id", "public-ip", "private-ip", "since", "cluster-id", "operation-id"),
    *("observed-at", "created-at", "group-name", "observed-generation"),
}


def shape(value: Any) -> Any:
    """A document without what is one story's own."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items() if key not in OWN}
    return [shape(one) for one in value] if isinstance(value, list) else value


def until(true, what, seconds=PATIENCE, pause=0.02):
    """Wait for it; a generous end, no figure is asserted."""
    last = time.monotonic() + seconds
    while not (answer := true()):
        if time.monotonic() > last:
            raise TimeoutError(f"{what} did not happen within {seconds} s")
        time.sleep(pause)
    return answer


@dataclass
class World:
    cloud: Cloud
    troupe: Troupe
    portal: Portal
    deaths: list[str] = field(default_factory=list)

    @contextmanager
    def supervised(self):
        """What dies is started again, as by systemd."""
        over = threading.Event()
        failed = []

        def watch():
            try:
                while not over.wait(0.01):
                    self.deaths += self.troupe.revive()
            except Exception as broken:  # noqa: BLE001 - told by the test's own thread
                failed.append(broken)

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            yield self
        finally:
            over.set()
            thread.join()
        assert not failed, failed

    # EC2 ------------------------------------------------------------------------------------

    def left(self):
        return audit.leftovers(self.cloud.ec2)

    def machines(self, cluster_id):
        """Every instance EC2 ever made for the cluster, ended ones too."""
        found = self.cloud.ec2.describe_instances(
            Filters=[{"Name": f"tag:{tags.CLUSTER}", "Values": [cluster_id]}]
        )
        return [i for r in found["Reservations"] for i in r["Instances"]]

    def addresses(self):
        return self.cloud.ec2.describe_addresses()["Addresses"]

    def whitelist_group(self, name):
        """Id of the group that holds the list of a running cluster."""
        groups = self.portal.until(name, "running")["security-groups"]
        return next(one["group-id"] for one in groups if one["kind"] == "whitelist")

    def rules(self, group_id):
        found = self.cloud.ec2.describe_security_group_rules(
            Filters=[{"Name": "group-id", "Values": [group_id]}]
        )["SecurityGroupRules"]
        return {(r["CidrIpv4"], r["FromPort"]) for r in found if not r["IsEgress"]}

    def plant_volume(self, cluster_id):
        """A volume of the cluster that nobody deletes by itself."""
        marks = tags.pack({tags.INSTALL: INSTALL, tags.CLUSTER: cluster_id})
        made = self.cloud.ec2.create_volume(
            Size=1,
            AvailabilityZone="us-east-1a",
            TagSpecifications=[{"ResourceType": "volume", "Tags": marks}],
        )
        return made["VolumeId"]


@dataclass
class Story:
    """Each step is told on; `before` is called with the name of the step that comes."""

    world: World
    before: Any = lambda step: None
    name: str = field(default_factory=lambda: f"cats-{next(NUMBERS)}")
    shape: Any = None
    slots: int = SLOTS
    plan: str = PLAN

    def tell(self):
        portal = self.world.portal
        self.before("create")
        assert portal.create(self.name, [FIRST], self.plan).status_code in {200, 202}
        running = portal.until(self.name, "running", "failed")
        assert running["status"] == "running", running
        self._group_follows(running, FIRST)
        self.before("whitelist")
        answer = portal.whitelist(self.name, [SECOND])
        assert answer.status_code == 200, answer.text
        assert [r["source-ip"] for r in answer.json()["ip-ranges"]] == [SECOND]
        self._group_follows(running, SECOND)
        self._machines_are(running)
        self.shape = shape(portal.read(self.name))
        self.before("delete")
        assert portal.delete(self.name).status_code in {200, 202, 404}
        portal.until(self.name, None)
        self._nothing_is_left(running)
        assert portal.strange == []

    def _group_follows(self, document, source):
        """The rules in force are the wish, soon: who died had not told yet."""
        group = next(g for g in document["security-groups"] if g["kind"] == "whitelist")
        want = {(source, 19530)}
        until(lambda: self.world.rules(group["group-id"]) == want, f"{want} in force")

    def _machines_are(self, document):
        """One effect of RunInstances per slot, ever."""
        made = [one["InstanceId"] for one in self.world.machines(document["cluster-id"])]
        assert len(made) == self.slots, made
        assert {one["instance-id"] for one in document["instances"]} == set(made)

    def _nothing_is_left(self, document):
        ended = self.world.machines(document["cluster-id"])
        assert len(ended) == self.slots
        assert {one["State"]["Name"] for one in ended} == {"terminated"}
        assert self.world.left() == []
