from tests.cloud.strict.proof import group, launch, needs, network, refused, seen, tcp


def rules(ec2, group_id):
    return ec2.describe_security_groups(GroupIds=[group_id])["SecurityGroups"][0]["IpPermissions"]


@needs("group-names")
def test_names_that_aws_does_not_take(strict_ec2):
    ec2 = strict_ec2.client()
    vpc_id, _ = network(ec2)
    for name in ("sg-base", "SG-base", "x" * 256, "gruppe-ü", "semi?colon"):
        with refused("InvalidParameterValue"):
            group(ec2, vpc_id, name)
    for description in ("x" * 256, "früh", "a<b"):
        with refused("InvalidParameterValue"):
            ec2.create_security_group(GroupName="ok", Description=description, VpcId=vpc_id)
    with refused("InvalidGroup.Reserved"):
        group(ec2, vpc_id, "default")


@needs("new-group-tags")
def test_a_new_group_answers_with_its_tags(strict_ec2):
    ec2 = strict_ec2.client()
    vpc_id, _ = network(ec2)
    spec = [{"ResourceType": "security-group", "Tags": [{"Key": "a<b", "Value": "c&d"}]}]
    made = ec2.create_security_group(
        GroupName="g", Description="d", VpcId=vpc_id, TagSpecifications=spec
    )
    assert made["Tags"] == [{"Key": "a<b", "Value": "c&d"}]


@needs("group-in-use")
def test_a_group_of_a_live_instance_is_not_deleted(strict_ec2):
    ec2 = strict_ec2.client()
    vpc_id, subnet_id = network(ec2)
    held = group(ec2, vpc_id)
    made = launch(ec2, SubnetId=subnet_id, SecurityGroupIds=[held])["InstanceId"]
    with refused("DependencyViolation", held):
        ec2.delete_security_group(GroupId=held)
    ec2.stop_instances(InstanceIds=[made])
    with refused("DependencyViolation"):
        ec2.delete_security_group(GroupId=held)
    ec2.terminate_instances(InstanceIds=[made])
    ec2.delete_security_group(GroupId=held)


@needs("group-in-use")
def test_a_group_of_an_interface_is_not_deleted(strict_ec2):
    ec2 = strict_ec2.client()
    vpc_id, subnet_id = network(ec2)
    held = group(ec2, vpc_id)
    made = ec2.create_network_interface(SubnetId=subnet_id, Groups=[held])["NetworkInterface"]
    with refused("DependencyViolation"):
        ec2.delete_security_group(GroupId=held)
    ec2.delete_network_interface(NetworkInterfaceId=made["NetworkInterfaceId"])
    ec2.delete_security_group(GroupId=held)


@needs("group-in-use")
def test_a_group_that_another_group_names_is_not_deleted(strict_ec2):
    ec2 = strict_ec2.client()
    vpc_id, _ = network(ec2)
    named, naming = group(ec2, vpc_id, "named"), group(ec2, vpc_id, "naming")
    rule = {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": named}]}
    ec2.authorize_security_group_ingress(GroupId=naming, IpPermissions=[rule])
    with refused("DependencyViolation"):
        ec2.delete_security_group(GroupId=named)
    ec2.revoke_security_group_ingress(GroupId=naming, IpPermissions=[rule])
    ec2.authorize_security_group_egress(GroupId=naming, IpPermissions=[rule])
    with refused("DependencyViolation"):
        ec2.delete_security_group(GroupId=named)
    ec2.revoke_security_group_egress(GroupId=naming, IpPermissions=[rule])
    ec2.delete_security_group(GroupId=named)


def test_a_group_that_names_itself_is_deleted(strict_ec2):
    ec2 = strict_ec2.client()
    vpc_id, _ = network(ec2)
    own = group(ec2, vpc_id)
    rule = {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": own}]}
    ec2.authorize_security_group_ingress(GroupId=own, IpPermissions=[rule])
    ec2.delete_security_group(GroupId=own)


@needs("group-in-use")
def test_the_default_group_is_not_deleted(strict_ec2):
    ec2 = strict_ec2.client()
    found = ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": ["default"]}])
    with refused("CannotDelete"):
        ec2.delete_security_group(GroupId=found["SecurityGroups"][0]["GroupId"])


@needs("interface-in-use")
def test_an_attached_interface_is_not_deleted(strict_ec2):
    ec2 = strict_ec2.client()
    interface = launch(ec2)["NetworkInterfaces"][0]["NetworkInterfaceId"]
    with refused("InvalidParameterValue", "in use"):
        ec2.delete_network_interface(NetworkInterfaceId=interface)


@needs("groups-per-interface")
def test_six_groups_on_an_interface_are_refused(strict_ec2):
    ec2 = strict_ec2.client()
    vpc_id, subnet_id = network(ec2)
    ids = [group(ec2, vpc_id, f"g{n}") for n in range(6)]
    nic = {"DeviceIndex": 0, "SubnetId": subnet_id}
    made = launch(ec2, NetworkInterfaces=[{**nic, "Groups": ids[:5]}])["InstanceId"]
    with refused("SecurityGroupsPerInterfaceLimitExceeded"):
        launch(ec2, NetworkInterfaces=[{**nic, "Groups": ids}])
    with refused("SecurityGroupsPerInterfaceLimitExceeded"):
        launch(ec2, SubnetId=subnet_id, SecurityGroupIds=ids)
    with refused("SecurityGroupsPerInterfaceLimitExceeded"):
        ec2.modify_instance_attribute(InstanceId=made, Groups=ids)


@needs("groups-per-interface")
def test_a_group_of_another_vpc_or_of_none_is_refused(strict_ec2):
    ec2 = strict_ec2.client()
    _, subnet_id = network(ec2)
    other_vpc, _ = network(ec2, "10.99.0.0/16")
    nic = {"DeviceIndex": 0, "SubnetId": subnet_id}
    with refused("InvalidGroup.NotFound"):
        launch(ec2, NetworkInterfaces=[{**nic, "Groups": ["sg-00000000"]}])
    with refused("InvalidParameter"):
        launch(ec2, NetworkInterfaces=[{**nic, "Groups": [group(ec2, other_vpc)]}])


@needs("canonical-cidr")
def test_a_cidr_is_stored_and_shown_in_canonical_form(strict_ec2):
    ec2 = strict_ec2.client()
    vpc_id, _ = network(ec2)
    made = group(ec2, vpc_id)
    v6 = {**tcp(19530), "Ipv6Ranges": [{"CidrIpv6": "2001:DB8::1/64"}]}
    added = ec2.authorize_security_group_ingress(
        GroupId=made, IpPermissions=[tcp(19530, "10.1.2.3/24"), v6]
    )
    assert {r.get("CidrIpv4") or r.get("CidrIpv6") for r in added["SecurityGroupRules"]} == {
        "10.1.2.0/24",
        "2001:db8::/64",
    }
    (stored,) = rules(ec2, made)
    assert [r["CidrIp"] for r in stored["IpRanges"]] == ["10.1.2.0/24"]
    assert [r["CidrIpv6"] for r in stored["Ipv6Ranges"]] == ["2001:db8::/64"]


@needs("duplicate-rules")
def test_duplicates_are_found_by_canonical_form_and_refuse_the_whole_batch(strict_ec2):
    ec2 = strict_ec2.client()
    vpc_id, _ = network(ec2)
    made = group(ec2, vpc_id)
    ec2.authorize_security_group_ingress(GroupId=made, IpPermissions=[tcp(1, "10.1.2.0/24")])
    described = tcp(1)
    described["IpRanges"] = [{"CidrIp": "10.1.2.9/24", "Description": "another text"}]
    with refused("InvalidPermission.Duplicate", "already exists"):
        ec2.authorize_security_group_ingress(
            GroupId=made, IpPermissions=[tcp(2, "10.1.2.0/24"), described]
        )
    assert [p["FromPort"] for p in rules(ec2, made)] == [1]


@needs("duplicate-rules")
def test_the_reply_lists_every_rule_of_a_batch(strict_ec2):
    ec2 = strict_ec2.client()
    vpc_id, _ = network(ec2)
    batch = [tcp(1, "10.0.0.0/8"), tcp(2, "10.0.0.0/8"), tcp(3, "10.0.0.0/8", "11.0.0.0/8")]
    added = ec2.authorize_security_group_ingress(GroupId=group(ec2, vpc_id), IpPermissions=batch)
    assert [r["FromPort"] for r in added["SecurityGroupRules"]] == [1, 2, 3, 3]
    other = group(ec2, vpc_id, "other")
    for client in (strict_ec2.plain(), ec2):
        one = client.authorize_security_group_ingress(
            GroupId=other, IpPermissions=[tcp(7 + (client is ec2), "10.0.0.0/8")]
        )
        assert len(one["SecurityGroupRules"]) == 1


@needs("port-range")
def test_ports_that_cannot_be(strict_ec2):
    ec2 = strict_ec2.client()
    vpc_id, _ = network(ec2)
    made = group(ec2, vpc_id)
    good = tcp(1, "10.0.0.0/8")
    for wrong in (
        {**good, "ToPort": 70000},
        {**good, "FromPort": -1},
        {**good, "FromPort": 9, "ToPort": 8},
        {k: v for k, v in good.items() if k != "ToPort"},
        {**good, "IpProtocol": "tcpp"},
        {**good, "IpProtocol": "icmp", "FromPort": 300},
    ):
        with refused("InvalidParameterValue"):
            ec2.authorize_security_group_ingress(GroupId=made, IpPermissions=[wrong])
    assert rules(ec2, made) == []


@needs("rule-descriptions")
def test_rule_descriptions_that_aws_does_not_take(strict_ec2):
    ec2 = strict_ec2.client()
    vpc_id, _ = network(ec2)
    made = group(ec2, vpc_id)
    for text in ("x" * 256, "<script>;", "naïve"):
        wrong = {**tcp(1), "IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": text}]}
        with refused("InvalidParameterValue"):
            ec2.authorize_security_group_ingress(GroupId=made, IpPermissions=[wrong])


@needs("rule-limit")
def test_sixty_rules_of_each_family(strict_ec2):
    ec2 = strict_ec2.client()
    vpc_id, _ = network(ec2)
    made = group(ec2, vpc_id)
    v4 = tcp(1, *(f"10.0.{n}.0/24" for n in range(60)))
    v6 = {**tcp(1), "Ipv6Ranges": [{"CidrIpv6": f"2001:db8:{n}::/48"} for n in range(59)]}
    ec2.authorize_security_group_ingress(GroupId=made, IpPermissions=[v4])
    ec2.authorize_security_group_ingress(GroupId=made, IpPermissions=[v6])
    with refused("RulesPerSecurityGroupLimitExceeded"):
        ec2.authorize_security_group_ingress(GroupId=made, IpPermissions=[tcp(1, "11.0.0.0/8")])
    own = {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": made}]}
    with refused("RulesPerSecurityGroupLimitExceeded"):
        ec2.authorize_security_group_ingress(GroupId=made, IpPermissions=[own])
    last = {**tcp(1), "Ipv6Ranges": [{"CidrIpv6": "2001:db9::/48"}]}
    ec2.authorize_security_group_ingress(GroupId=made, IpPermissions=[last])


def test_one_rule_over_the_limit_adds_none(strict_ec2):
    ec2 = strict_ec2.client()
    vpc_id, _ = network(ec2)
    made = group(ec2, vpc_id)
    with refused("RulesPerSecurityGroupLimitExceeded"):
        ec2.authorize_security_group_ingress(
            GroupId=made, IpPermissions=[tcp(1, *(f"10.0.{n}.0/24" for n in range(61)))]
        )
    assert rules(ec2, made) == []


@needs("whole-revoke")
def test_revoking_is_all_or_nothing(strict_ec2):
    ec2 = strict_ec2.client()
    vpc_id, _ = network(ec2)
    made = group(ec2, vpc_id)
    ec2.authorize_security_group_ingress(GroupId=made, IpPermissions=[tcp(1, "10.0.0.0/8")])
    with refused("InvalidPermission.NotFound"):
        ec2.revoke_security_group_ingress(
            GroupId=made, IpPermissions=[tcp(1, "10.0.0.0/8"), tcp(2, "10.0.0.0/8")]
        )
    assert len(rules(ec2, made)) == 1
    ec2.revoke_security_group_ingress(GroupId=made, IpPermissions=[tcp(1, "10.9.9.9/8")])
    assert rules(ec2, made) == []


@needs("whole-revoke")
def test_a_described_group_rule_is_revoked_without_its_description(strict_ec2):
    ec2 = strict_ec2.client()
    vpc_id, _ = network(ec2)
    made = group(ec2, vpc_id)
    pair = {"GroupId": made, "Description": "each other"}
    own = {"IpProtocol": "-1", "UserIdGroupPairs": [pair]}
    ec2.authorize_security_group_ingress(GroupId=made, IpPermissions=[own])
    bare = {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": made}]}
    ec2.revoke_security_group_ingress(GroupId=made, IpPermissions=[bare])
    assert rules(ec2, made) == []


@needs("whole-revoke")
def test_the_default_vpc_passes_over_rules_that_are_not_there(strict_ec2):
    ec2 = strict_ec2.client()
    vpc_id = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    made = group(ec2, vpc_id)
    ec2.authorize_security_group_ingress(GroupId=made, IpPermissions=[tcp(1, "10.0.0.0/8")])
    ec2.revoke_security_group_ingress(GroupId=made, IpPermissions=[tcp(9, "10.0.0.0/8")])
    ec2.revoke_security_group_ingress(
        GroupId=made, IpPermissions=[tcp(9, "10.0.0.0/8"), tcp(1, "10.0.0.0/8")]
    )
    assert rules(ec2, made) == []


def test_rules_are_revoked_by_id(strict_ec2):
    ec2 = strict_ec2.client()
    vpc_id, _ = network(ec2)
    made = group(ec2, vpc_id)
    added = ec2.authorize_security_group_ingress(GroupId=made, IpPermissions=[tcp(1, "10.0.0.0/8")])
    ids = [r["SecurityGroupRuleId"] for r in added["SecurityGroupRules"]]
    ec2.revoke_security_group_ingress(GroupId=made, SecurityGroupRuleIds=ids)
    assert rules(ec2, made) == []


def test_the_flat_form_works_too(strict_ec2):
    ec2 = strict_ec2.client()
    vpc_id, _ = network(ec2)
    made = group(ec2, vpc_id)
    flat = {"IpProtocol": "tcp", "FromPort": 5, "ToPort": 5, "CidrIp": "10.1.2.3/8"}
    ec2.authorize_security_group_ingress(GroupId=made, **flat)
    with refused("InvalidPermission.Duplicate"):
        ec2.authorize_security_group_ingress(GroupId=made, **flat)
    assert rules(ec2, made)[0]["IpRanges"] == [{"CidrIp": "10.0.0.0/8"}]
    ec2.revoke_security_group_ingress(GroupId=made, **flat)
    assert rules(ec2, made) == []


@needs("instance-groups")
def test_groups_given_on_an_interface_show_on_the_instance(strict_ec2):
    ec2 = strict_ec2.client()
    vpc_id, subnet_id = network(ec2)
    first, second = group(ec2, vpc_id, "one"), group(ec2, vpc_id, "two")
    nic = {"DeviceIndex": 0, "SubnetId": subnet_id, "Groups": [first]}
    made = launch(ec2, NetworkInterfaces=[nic])
    assert [g["GroupId"] for g in made["SecurityGroups"]] == [first]
    ec2.modify_network_interface_attribute(
        NetworkInterfaceId=made["NetworkInterfaces"][0]["NetworkInterfaceId"], Groups=[second]
    )
    now = seen(ec2, made["InstanceId"])
    assert [g["GroupId"] for g in now["SecurityGroups"]] == [second]
    assert [g["GroupId"] for g in now["NetworkInterfaces"][0]["Groups"]] == [second]
    ec2.modify_instance_attribute(InstanceId=made["InstanceId"], Groups=[first, second])
    now = seen(ec2, made["InstanceId"])
    assert {g["GroupId"] for g in now["NetworkInterfaces"][0]["Groups"]} == {first, second}
    ec2.modify_instance_attribute(InstanceId=made["InstanceId"], Groups=[first])
    ec2.delete_security_group(GroupId=second)
