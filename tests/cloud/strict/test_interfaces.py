from ipaddress import ip_address, ip_network

from tests.cloud.strict.proof import group, launch, needs, network, refused, seen


@needs("launch-shape")
def test_interfaces_are_described_at_one_level_only(strict_ec2):
    ec2 = strict_ec2.client()
    vpc_id, subnet_id = network(ec2)
    nic = {"DeviceIndex": 0, "SubnetId": subnet_id}
    with refused("InvalidParameterCombination"):
        launch(ec2, NetworkInterfaces=[nic], SecurityGroupIds=[group(ec2, vpc_id)])


@needs("interface-tags")
def test_the_tags_of_a_launch_reach_its_interfaces(strict_ec2):
    ec2 = strict_ec2.client()
    kinds = ("instance", "volume", "network-interface")
    tags = [{"Key": "kite:cluster", "Value": "c1"}]
    made = launch(ec2, TagSpecifications=[{"ResourceType": k, "Tags": tags} for k in kinds])
    wanted = [{"Name": "tag:kite:cluster", "Values": ["c1"]}]
    found = ec2.describe_network_interfaces(Filters=wanted)["NetworkInterfaces"]
    assert [n["NetworkInterfaceId"] for n in found] == [
        made["NetworkInterfaces"][0]["NetworkInterfaceId"]
    ]
    assert found[0]["TagSet"] == tags
    shown = ec2.describe_tags(Filters=[{"Name": "key", "Values": ["kite:cluster"]}])["Tags"]
    assert {tag["ResourceType"] for tag in shown} == set(kinds)


@needs("interfaces-end")
def test_an_interface_ends_with_its_instance_unless_it_is_kept(strict_ec2):
    ec2 = strict_ec2.client()
    _, subnet_id = network(ec2)
    kept = {"DeviceIndex": 0, "SubnetId": subnet_id, "DeleteOnTermination": False}
    ids = [
        launch(ec2, SubnetId=subnet_id)["InstanceId"],
        launch(ec2, NetworkInterfaces=[{"DeviceIndex": 0, "SubnetId": subnet_id}])["InstanceId"],
        launch(ec2, NetworkInterfaces=[kept])["InstanceId"],
    ]
    assert len(ec2.describe_network_interfaces()["NetworkInterfaces"]) == 3
    ec2.terminate_instances(InstanceIds=ids)
    assert len(ec2.describe_network_interfaces()["NetworkInterfaces"]) == 1


@needs("default-subnet")
def test_a_launch_without_a_subnet_goes_to_the_default_one(strict_ec2):
    ec2 = strict_ec2.client()
    made = seen(ec2, launch(ec2)["InstanceId"])
    subnet = ec2.describe_subnets(SubnetIds=[made["SubnetId"]])["Subnets"][0]
    assert subnet["DefaultForAz"]
    assert ip_address(made["PrivateIpAddress"]) in ip_network(subnet["CidrBlock"])
    zoned = launch(ec2, Placement={"AvailabilityZone": "us-east-1c"})
    assert seen(ec2, zoned["InstanceId"])["Placement"]["AvailabilityZone"] == "us-east-1c"


@needs("subnet-zone")
def test_a_subnet_without_a_zone_is_in_the_first(strict_ec2):
    ec2 = strict_ec2.client()
    vpc_id, _ = network(ec2)
    zones = {
        ec2.create_subnet(VpcId=vpc_id, CidrBlock=f"10.88.{n}.0/24")["Subnet"]["AvailabilityZone"]
        for n in range(1, 30)
    }
    assert zones == {"us-east-1a"}


@needs("private-addresses")
def test_private_addresses_come_in_order_and_a_freed_one_last(strict_ec2):
    ec2 = strict_ec2.client()
    vpc_id, _ = network(ec2)
    subnet = ec2.create_subnet(VpcId=vpc_id, CidrBlock="10.88.9.0/28")["Subnet"]["SubnetId"]
    made = [launch(ec2, SubnetId=subnet) for _ in range(3)]
    assert [i["PrivateIpAddress"] for i in made] == ["10.88.9.4", "10.88.9.5", "10.88.9.6"]
    ec2.terminate_instances(InstanceIds=[made[0]["InstanceId"]])
    later = [launch(ec2, SubnetId=subnet)["PrivateIpAddress"] for _ in range(9)]
    assert later == [*(f"10.88.9.{n}" for n in range(7, 15)), "10.88.9.4"]
    with refused("InsufficientFreeAddressesInSubnet"):
        launch(ec2, SubnetId=subnet)


@needs("private-addresses")
def test_a_private_address_in_use_or_out_of_range_is_refused(strict_ec2):
    ec2 = strict_ec2.client()
    _, subnet_id = network(ec2)
    launch(ec2, SubnetId=subnet_id, PrivateIpAddress="10.88.0.9")
    with refused("InvalidIPAddress.InUse"):
        launch(ec2, SubnetId=subnet_id, PrivateIpAddress="10.88.0.9")
    for wrong in ("10.99.0.9", "nonsense"):
        with refused("InvalidParameterValue"):
            launch(ec2, SubnetId=subnet_id, PrivateIpAddress=wrong)


def test_interfaces_without_a_subnet_go_to_the_default_one(strict_ec2):
    ec2 = strict_ec2.client()
    nic = {"DeviceIndex": 0, "AssociatePublicIpAddress": True}
    made = launch(ec2, NetworkInterfaces=[nic], Placement={"AvailabilityZone": "us-east-1b"})
    assert seen(ec2, made["InstanceId"])["Placement"]["AvailabilityZone"] == "us-east-1b"


def test_without_a_default_subnet_the_launch_is_refused(strict_ec2):
    ec2 = strict_ec2.client()
    for one in ec2.describe_subnets()["Subnets"]:
        ec2.delete_subnet(SubnetId=one["SubnetId"])
    with refused("MissingInput"):
        launch(ec2)
