from datetime import UTC, datetime

import pytest

from kite import tags
from provisioner import packing
from provisioner.adoption import WHY, survey
from provisioner.record import Address, AddressMode, NodeState, Role, Spec
from tests.unit.provisioner.shapes import CLUSTER, INSTALL, token_of

AT = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
AT_MS = int(AT.timestamp() * 1000)


def machine(name="i-1", *, slot=0, attempt=1, user="alice", milvus_type="M5", **more):
    owner = tags.NodeTags(INSTALL, CLUSTER, slot, attempt)
    role = "worker" if slot else "master"
    owned = tags.node_tags(owner, user=user, milvus_name="cats", role=role, milvus_type=milvus_type)
    plain = {
        "InstanceId": name,
        "ImageId": "ami-1",
        "InstanceType": "m5.large",
        "SubnetId": "subnet-a",
        "SecurityGroups": [{"GroupId": "sg-2"}, {"GroupId": "sg-1"}],
        "RootDeviceName": "/dev/sda1",
        "State": {"Name": "running"},
        "LaunchTime": AT,
        "PrivateIpAddress": "10.0.0.7",
        "ClientToken": token_of(attempt, slot),
        "Tags": tags.pack(owned),
    }
    return plain | more


def disks(*names, data=50):
    return [
        {"Size": size, "Attachments": [{"InstanceId": name, "Device": device}]}
        for name in names
        for device, size in (("/dev/sda1", 20), ("/dev/sdf", data))
    ]


def address(cluster=CLUSTER, install=INSTALL, **more):
    owned = tags.cluster_tags(install, cluster, kind="address")
    plain = {"AllocationId": "eipalloc-1", "PublicIp": "198.18.88.7", "Tags": tags.pack(owned)}
    return plain | more


def found(*machines, volumes=None, addresses=()):
    if volumes is None:
        volumes = disks(*(one["InstanceId"] for one in machines))
    return survey(machines, volumes, addresses, install=INSTALL)


def one(*machines, **more):
    result = found(*machines, **more)
    (adopted,) = result.clusters
    return adopted.record


def test_a_cluster_of_one_machine():
    held = address(AssociationId="eipassoc-1")
    result = found(machine(), addresses=[held])
    (adopted,) = result.clusters
    record = adopted.record
    assert (record.cluster_id, record.user, record.milvus_name) == (CLUSTER, "alice", "cats")
    assert record.spec == Spec("M5", 50, AddressMode.ELASTIC, "m5.large")
    assert record.address == Address("eipalloc-1", "198.18.88.7", "eipassoc-1")
    assert record.address_intended
    (node,) = record.nodes
    assert (node.slot, node.role, node.attempt, node.token) == (0, Role.MASTER, 1, token_of())
    assert (node.state, node.why, node.instance_id) == (NodeState.RUNNING, WHY, "i-1")
    assert (node.key_pair, node.private_ip, node.launched_at_ms) == ("kite-test", "10.0.0.7", AT_MS)
    intent = node.intent
    assert (intent.client_token, intent.subnet_id) == (token_of(), "subnet-a")
    assert (intent.security_group_ids, intent.root_gib, intent.data_gib) == (
        ("sg-1", "sg-2"),
        20,
        50,
    )
    assert adopted.born_ms == AT_MS
    assert result.notes == ()


def test_an_address_without_its_machine_yet():
    record = one(machine(), addresses=[address()])
    assert record.address == Address("eipalloc-1", "198.18.88.7", "")


@pytest.mark.parametrize(
    ("public", "mode"), [("54.0.0.1", AddressMode.AUTO), ("", AddressMode.PRIVATE)]
)
def test_without_an_address_of_its_own_the_machine_tells_the_mode(public, mode):
    record = one(machine(PublicIpAddress=public), addresses=[address(install="other")])
    assert record.spec.address_mode is mode
    assert record.address == Address()
    assert not record.address_intended
    assert record.nodes[0].intent.public_address is bool(public)


def test_a_machine_from_before_types_were_tagged_is_of_its_own_type():
    assert one(machine(milvus_type="")).spec.milvus_type == "m5.large"


def test_workers_come_along():
    later = machine("i-3", slot=2, InstanceType="r5.large")
    record = one(later, machine(), machine("i-2", slot=1, InstanceType="r5.large"))
    assert [node.instance_id for node in record.nodes] == ["i-1", "i-2", "i-3"]
    assert [node.role for node in record.nodes] == [Role.MASTER, Role.WORKER, Role.WORKER]
    assert (record.spec.workers, record.spec.worker_instance_type) == (2, "r5.large")


def test_the_newest_machine_of_a_slot_counts():
    result = found(machine("i-2", attempt=2), machine("i-1", attempt=1))
    (adopted,) = result.clusters
    assert [node.instance_id for node in adopted.record.nodes] == ["i-2"]
    assert adopted.record.nodes[0].attempt == 2
    assert result.notes == (f"i-1: not the newest machine of slot 0 of {CLUSTER}",)


REFUSED = [
    ([machine(slot=1)], {}, f"{CLUSTER}: its master has no machine"),
    ([machine()], {"volumes": []}, f"{CLUSTER}: no volume with our tags holds its data"),
    ([machine(), machine("i-2", slot=1, user="bob")], {}, "its machines name different owners"),
    ([machine(ClientToken="mine")], {}, "i-1: its tags do not belong to the token"),
    ([], {"addresses": [address()]}, f"eipalloc-1 (198.18.88.7): its cluster {CLUSTER} has no"),
]


@pytest.mark.parametrize(("machines", "more", "said"), REFUSED, ids=[said for *_, said in REFUSED])
def test_what_cannot_be_rebuilt_is_told(machines, more, said):
    result = found(*machines, **more)
    assert result.clusters == ()
    assert len(result.notes) == 1
    assert said in result.notes[0]


def test_what_ended_or_is_of_others_is_no_news():
    foreign = machine(Tags=[])
    assert found(machine(State={"Name": "terminated"}), foreign).notes == ()


def test_the_rebuilt_wish_crosses_the_wire():
    record = one(machine(), addresses=[address()])
    packed = packing.pack_spec(record.spec)
    assert packing.unpack_cluster(packing.pb.Cluster(spec=packed)).spec == record.spec
