"""A sweep that dies before or after it removes something: the next one removes what is left.

The things are planted with the tags of a cluster that came and went; another cluster lives beside.
"""

from contextlib import ExitStack, closing

import pytest

from kite import tags
from provisioner.tokens import token
from tests.chaos import cloud
from tests.chaos.portal import Portal
from tests.chaos.troupe import INSTALL, Troupe, hostless_settings
from tests.crash.story import NUMBERS, World, until

POINTS = {
    "provisioner": tuple(
        f"{side}-sweep-{kind}"
        for kind in ("instance", "volume", "address")
        for side in ("before", "after")
    ),
    "whitelist": ("before-sweep-group", "after-sweep-group"),
}
CASES = [
    pytest.param(service, point, id=point) for service, points in POINTS.items() for point in points
]
ATTEMPT = 7  # one that no slot ever came to


def marks(kind, cluster_id):
    if kind in {"instance", "volume"}:
        node = tags.NodeTags(INSTALL, cluster_id, 0, ATTEMPT)
        return tags.pack(tags.node_tags(node, user="alice", milvus_name="cats", role="master"))
    return tags.pack(tags.cluster_tags(INSTALL, cluster_id, kind="whitelist"))


def instance(world, owned, cluster_id):
    subnet = world.cloud.ready["subnet_id"].partition(",")[0]
    made = world.cloud.ec2.run_instances(
        MinCount=1,
        MaxCount=1,
        ImageId=world.cloud.ready["image_id"],
        InstanceType="m5.large",
        NetworkInterfaces=[{"DeviceIndex": 0, "SubnetId": subnet, "DeleteOnTermination": True}],
        ClientToken=token(INSTALL, cluster_id, 0, ATTEMPT),
        TagSpecifications=[{"ResourceType": "instance", "Tags": owned}],
    )
    return made["Instances"][0]["InstanceId"]


def volume(world, owned, _):
    marked = [{"ResourceType": "volume", "Tags": owned}]
    made = world.cloud.ec2.create_volume(
        Size=1, AvailabilityZone="us-east-1a", TagSpecifications=marked
    )
    return made["VolumeId"]


def address(world, owned, _):
    marked = [{"ResourceType": "elastic-ip", "Tags": owned}]
    return world.cloud.ec2.allocate_address(Domain="vpc", TagSpecifications=marked)["PublicIp"]


def group(world, owned, cluster_id):
    name = f"kite-{cluster_id}-left-{next(NUMBERS)}"
    world.cloud.ec2.create_security_group(
        GroupName=name,
        Description="left",
        VpcId=world.cloud.ec2.describe_subnets()["Subnets"][0]["VpcId"],
        TagSpecifications=[{"ResourceType": "security-group", "Tags": owned}],
    )
    return name


# Each answers with what World.left() calls it.
PLANT = {"instance": instance, "volume": volume, "address": address, "group": group}


def later(ahead):
    """Two days pass for EC2: nothing that is there is young."""
    new = ahead.with_suffix(".new")
    new.write_text(str(float(ahead.read_text()) + 2 * 24 * 3600))
    new.replace(ahead)


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """A world whose sweeps look every second; one cluster lives, one has gone."""
    folder = tmp_path_factory.mktemp("swept")
    with ExitStack() as stack:
        ahead = folder / "ahead"
        ahead.write_text("0")
        running = stack.enter_context(cloud.running(folder, "tests.crash.aged", str(ahead)))
        settings = hostless_settings(running.ready, folder)
        for service in ("PROVISIONER", "WHITELIST"):
            settings[f"KITE_{service}_SWEEP_SECONDS"] = "1"
        settings["KITE_PROVISIONER_LEASE_SECONDS"] = "300"  # as in conftest.py
        troupe = Troupe(folder / "run", settings)
        stack.callback(troupe.stop)
        troupe.start_all()
        portal = stack.enter_context(closing(Portal(troupe.url)))
        world = World(running, troupe, portal)
        portal.create("gone")
        gone = portal.until("gone", "running")["cluster-id"]
        portal.delete("gone")
        portal.until("gone", None)
        portal.create("kept")
        kept = portal.until("kept", "running")
        yield world, gone, kept, ahead
        portal.delete("kept")
        portal.until("kept", None)
        until(lambda: world.left() == [], "nothing being left")


@pytest.mark.parametrize(("service", "point"), CASES)
def test_what_a_dead_sweep_left_is_swept_by_the_next(swept, service, point):
    world, gone, kept, ahead = swept
    name, kind = f"{service}-1", point.rpartition("-")[2]
    world.deaths.clear()
    with world.supervised():
        world.troupe.arm(name, point)
        planted = PLANT[kind](world, marks(kind, gone), gone)
        later(ahead)
        until(lambda: world.troupe.sprung(name), f"{name} being at {point}")
        until(lambda: not any(planted in line for line in world.left()), f"{planted} being gone")
        world.troupe.await_serving(name, supervised=True)
    assert world.deaths == [name]
    now = world.portal.read("kept")
    assert (now["status"], now["instances"]) == ("running", kept["instances"])
    assert [one["State"]["Name"] for one in world.machines(kept["cluster-id"])] == ["running"]
