from ipaddress import ip_address

import pytest

from localcloud.strict.inproc import POOL
from localcloud.strict.knobs import Knobs
from tests.cloud.strict.proof import launch, needs, network, refused, seen


def associated(ec2):
    found = ec2.describe_addresses()["Addresses"]
    return {a["PublicIp"]: a.get("InstanceId", "") for a in found}


def test_every_public_address_is_of_our_range(strict_ec2):
    ec2 = strict_ec2.client()
    _, subnet_id = network(ec2)
    nic = {"DeviceIndex": 0, "SubnetId": subnet_id, "AssociatePublicIpAddress": True}
    given = [
        launch(ec2)["PublicIpAddress"],
        launch(ec2, NetworkInterfaces=[nic])["PublicIpAddress"],
        ec2.allocate_address()["PublicIp"],
    ]
    assert all(ip_address(one) in POOL for one in given)
    assert len(set(given)) == 3


def test_a_freed_address_waits_longest(strict_ec2):
    ec2 = strict_ec2.client()
    made = launch(ec2)
    ec2.terminate_instances(InstanceIds=[made["InstanceId"]])
    for _ in range(POOL.num_addresses - 3):
        allocated = ec2.allocate_address()
        assert allocated["PublicIp"] != made["PublicIpAddress"]
        ec2.release_address(AllocationId=allocated["AllocationId"])
    assert ec2.allocate_address()["PublicIp"] == made["PublicIpAddress"]


def test_an_empty_range_is_said_so(strict_ec2):
    ec2 = strict_ec2.client()
    pool = strict_ec2.api._need().pool
    pool._fresh = pool._last + 1
    with refused("InsufficientAddressCapacity"):
        ec2.allocate_address()
    with refused("InsufficientAddressCapacity"):
        launch(ec2)
    assert ec2.describe_instances()["Reservations"] == []


@needs("address-quota")
def test_the_quota_of_elastic_addresses(strict_ec2):
    ec2 = strict_ec2.client()
    strict_ec2.api.knobs = Knobs(address_quota=2)
    ec2.allocate_address()
    ec2.allocate_address()
    with refused("AddressLimitExceeded"):
        ec2.allocate_address()


@needs("address-quota")
def test_a_certain_address_is_of_our_range_or_refused(strict_ec2):
    ec2 = strict_ec2.client()
    with refused("InvalidAddress.NotFound"):
        ec2.allocate_address(Address="8.8.8.8")
    wanted = str(POOL[77])
    assert ec2.allocate_address(Address=wanted)["PublicIp"] == wanted
    with refused("InvalidAddress.NotFound"):
        ec2.allocate_address(Address=wanted)


def test_an_address_is_tagged_as_it_is_allocated(strict_ec2):
    ec2 = strict_ec2.client()
    tags = [{"Key": "kite:cluster", "Value": "c1"}]
    made = ec2.allocate_address(
        Domain="vpc", TagSpecifications=[{"ResourceType": "elastic-ip", "Tags": tags}]
    )
    wanted = [{"Name": "tag:kite:cluster", "Values": ["c1"]}]
    found = ec2.describe_addresses(Filters=wanted)["Addresses"]
    assert [a["AllocationId"] for a in found] == [made["AllocationId"]]
    assert found[0]["Tags"] == tags


@needs("associate-states")
def test_a_pending_or_ended_instance_gets_no_address(strict_ec2):
    ec2 = strict_ec2.client()
    allocation = ec2.allocate_address()["AllocationId"]
    strict_ec2.api.hold_pending = True
    made = launch(ec2)
    interface = made["NetworkInterfaces"][0]["NetworkInterfaceId"]
    with refused("InvalidInstanceID", "pending"):
        ec2.associate_address(AllocationId=allocation, InstanceId=made["InstanceId"])
    with refused("IncorrectInstanceState", interface):
        ec2.associate_address(AllocationId=allocation, NetworkInterfaceId=interface)
    strict_ec2.api.mark_reachable(made["InstanceId"])
    ec2.associate_address(AllocationId=allocation, InstanceId=made["InstanceId"])
    ec2.terminate_instances(InstanceIds=[made["InstanceId"]])
    with refused("InvalidInstanceID", "terminated"):
        ec2.associate_address(AllocationId=allocation, InstanceId=made["InstanceId"])


@needs("association")
def test_associating_twice_does_nothing_and_elsewhere_moves(strict_ec2):
    ec2 = strict_ec2.client()
    one, two = launch(ec2)["InstanceId"], launch(ec2)["InstanceId"]
    made = ec2.allocate_address()
    first = ec2.associate_address(AllocationId=made["AllocationId"], InstanceId=one)
    again = ec2.associate_address(AllocationId=made["AllocationId"], InstanceId=one)
    assert first["AssociationId"] == again["AssociationId"]
    assert seen(ec2, one)["PublicIpAddress"] == made["PublicIp"]
    with refused("Resource.AlreadyAssociated"):
        ec2.associate_address(
            AllocationId=made["AllocationId"], InstanceId=two, AllowReassociation=False
        )
    ec2.associate_address(AllocationId=made["AllocationId"], InstanceId=two)
    assert associated(ec2) == {made["PublicIp"]: two}
    assert seen(ec2, two)["PublicIpAddress"] == made["PublicIp"]
    assert seen(ec2, one).get("PublicIpAddress") != made["PublicIp"]


@needs("association")
def test_a_second_address_sets_the_first_free(strict_ec2):
    ec2 = strict_ec2.client()
    target = launch(ec2)["InstanceId"]
    old, new = ec2.allocate_address(), ec2.allocate_address()
    ec2.associate_address(AllocationId=old["AllocationId"], InstanceId=target)
    ec2.associate_address(AllocationId=new["AllocationId"], InstanceId=target)
    assert associated(ec2) == {old["PublicIp"]: "", new["PublicIp"]: target}


def test_associating_by_interface_names_the_instance(strict_ec2):
    ec2 = strict_ec2.client()
    made = launch(ec2)
    address = ec2.allocate_address()
    interface = made["NetworkInterfaces"][0]["NetworkInterfaceId"]
    ec2.associate_address(AllocationId=address["AllocationId"], NetworkInterfaceId=interface)
    assert associated(ec2) == {address["PublicIp"]: made["InstanceId"]}


@needs("release-states")
def test_an_associated_address_is_not_released(strict_ec2):
    ec2 = strict_ec2.client()
    target = launch(ec2)["InstanceId"]
    made = ec2.allocate_address()
    link = ec2.associate_address(AllocationId=made["AllocationId"], InstanceId=target)
    with refused("InvalidIPAddress.InUse"):
        ec2.release_address(AllocationId=made["AllocationId"])
    ec2.disassociate_address(AssociationId=link["AssociationId"])
    ec2.release_address(AllocationId=made["AllocationId"])


@needs("addresses-outlive-instances")
def test_an_address_stays_through_stop_and_start_and_outlives_its_instance(strict_ec2):
    ec2 = strict_ec2.client()
    target = launch(ec2)["InstanceId"]
    made = ec2.allocate_address()
    ec2.associate_address(AllocationId=made["AllocationId"], InstanceId=target)
    ec2.stop_instances(InstanceIds=[target])
    assert seen(ec2, target)["PublicIpAddress"] == made["PublicIp"]
    ec2.start_instances(InstanceIds=[target])
    assert seen(ec2, target)["PublicIpAddress"] == made["PublicIp"]
    ec2.terminate_instances(InstanceIds=[target])
    assert associated(ec2) == {made["PublicIp"]: ""}
    ec2.release_address(AllocationId=made["AllocationId"])


@pytest.mark.parametrize(
    ("region", "suffix"),
    [
        ("us-east-1", ".compute-1.amazonaws.com"),
        ("eu-west-1", ".eu-west-1.compute.amazonaws.com"),
        ("cn-northwest-1", ".cn-northwest-1.compute.amazonaws.com.cn"),
    ],
)
def test_public_names_by_region(strict_ec2, region, suffix):
    ec2 = strict_ec2.client(region=region)
    made = launch(ec2)["InstanceId"]
    now = seen(ec2, made)
    wanted = f"ec2-{now['PublicIpAddress'].replace('.', '-')}{suffix}"
    assert now["PublicDnsName"] == wanted
    assert now["NetworkInterfaces"][0]["Association"]["PublicDnsName"] == wanted


@needs("public-names")
def test_china_has_its_own_suffix_and_a_vpc_without_names_has_none(strict_ec2):
    ec2 = strict_ec2.client(region="cn-northwest-1")
    assert seen(ec2, launch(ec2)["InstanceId"])["PublicDnsName"].endswith(".com.cn")
    _, subnet_id = network(ec2)
    vpc_id = ec2.describe_subnets(SubnetIds=[subnet_id])["Subnets"][0]["VpcId"]
    ec2.modify_vpc_attribute(VpcId=vpc_id, EnableDnsHostnames={"Value": False})
    nic = {"DeviceIndex": 0, "SubnetId": subnet_id, "AssociatePublicIpAddress": True}
    made = launch(ec2, NetworkInterfaces=[nic])
    assert seen(ec2, made["InstanceId"]).get("PublicDnsName", "") == ""


@needs("gateway-attached")
def test_an_address_needs_an_internet_gateway(strict_ec2):
    ec2 = strict_ec2.client()
    vpc_id, subnet_id = network(ec2)
    made = launch(ec2, SubnetId=subnet_id)["InstanceId"]
    allocation = ec2.allocate_address()["AllocationId"]
    with refused("Gateway.NotAttached"):
        ec2.associate_address(AllocationId=allocation, InstanceId=made)
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc_id)
    ec2.associate_address(AllocationId=allocation, InstanceId=made)


@needs("public-names")
def test_private_names_of_interfaces_are_by_region(strict_ec2):
    ec2 = strict_ec2.client(region="eu-west-1")
    made = seen(ec2, launch(ec2)["InstanceId"])
    dashed = made["PrivateIpAddress"].replace(".", "-")
    assert made["NetworkInterfaces"][0]["PrivateDnsName"] == made["PrivateDnsName"]
    assert made["PrivateDnsName"] == f"ip-{dashed}.eu-west-1.compute.internal"
