from tests.cloud.strict.proof import group, launch, needs, network, refused


@needs("malformed-ids")
def test_an_id_of_the_wrong_shape_is_malformed(strict_ec2):
    ec2 = strict_ec2.client()
    for wrong in ("i-", "i-xyz", "i-123", "vol-00000000", "m5.large"):
        with refused("InvalidInstanceID.Malformed"):
            ec2.describe_instances(InstanceIds=[wrong])
    with refused("InvalidInstanceID.Malformed"):
        ec2.terminate_instances(InstanceIds=["i-xyz"])
    with refused("InvalidGroupId.Malformed"):
        ec2.delete_security_group(GroupId="sg-base")
    with refused("InvalidAMIID.Malformed"):
        launch(ec2, ImageId="ubuntu")
    with refused("InvalidVolumeID.Malformed"):
        ec2.delete_volume(VolumeId="disk")
    with refused("InvalidVpcID.Malformed"):
        group(ec2, "my-vpc")
    with refused("InvalidSecurityGroupRuleId.Malformed"):
        ec2.describe_security_group_rules(SecurityGroupRuleIds=["sgr-1"])


def test_an_id_of_the_right_shape_is_not_found(strict_ec2):
    ec2 = strict_ec2.client()
    with refused("InvalidInstanceID.NotFound"):
        ec2.describe_instances(InstanceIds=["i-0123456789abcdef0"])
    with refused("InvalidGroup.NotFound"):
        ec2.describe_security_groups(GroupIds=["sg-0123456789abcdef0"])


@needs("unknown-instances")
def test_every_unknown_instance_is_named(strict_ec2):
    ec2 = strict_ec2.client()
    made = launch(ec2)["InstanceId"]
    unknown = ["i-00000000000000001", "i-00000000000000002"]
    for action in (ec2.describe_instances, ec2.terminate_instances, ec2.stop_instances):
        with refused("InvalidInstanceID.NotFound", ", ".join(unknown)):
            action(InstanceIds=[unknown[0], made, unknown[1]])


@needs("page-sizes")
def test_pages_have_5_to_1000_entries(strict_ec2):
    ec2 = strict_ec2.client()
    for wrong in (1, 4, 1001, 5000):
        with refused("InvalidParameterValue", "maxResults"):
            ec2.describe_instances(MaxResults=wrong)
    for right in (5, 1000):
        ec2.describe_instances(MaxResults=right)


@needs("named-whole")
def test_volumes_that_are_named_are_not_cut_into_pages(strict_ec2):
    ec2 = strict_ec2.client()
    launch(ec2)
    named = [one["VolumeId"] for one in ec2.describe_volumes()["Volumes"]]
    with refused("InvalidParameterCombination", "volumeSet"):
        ec2.describe_volumes(VolumeIds=named, MaxResults=5)
    assert len(ec2.describe_volumes(VolumeIds=named)["Volumes"]) == len(named)


@needs("instance-pages")
def test_a_list_of_ids_is_never_cut_and_a_bad_token_is_refused(strict_ec2):
    ec2 = strict_ec2.client()
    ids = [launch(ec2)["InstanceId"] for _ in range(102)]
    by_id = ec2.describe_instances(InstanceIds=ids)
    assert {i["InstanceId"] for r in by_id["Reservations"] for i in r["Instances"]} == set(ids)
    assert len(ec2.describe_instances()["Reservations"]) == 102
    pages = list(
        ec2.get_paginator("describe_instances").paginate(PaginationConfig={"PageSize": 50})
    )
    assert [len(page["Reservations"]) for page in pages] == [50, 50, 2]
    twice = ec2.describe_instances(InstanceIds=[ids[0], ids[0]])
    assert len(twice["Reservations"]) == 1
    with refused("InvalidNextToken"):
        ec2.describe_instances(NextToken="rubbish", MaxResults=5)
    with refused("InvalidInstanceID.NotFound"):
        ec2.describe_instances(InstanceIds=[*ids, "i-0123456789abcdef0"])


def test_a_list_without_a_page_size_ends_at_a_thousand(strict_ec2):
    """Launched past the rules: the pace of a thousand launches is not what is looked at."""
    plain, ec2 = strict_ec2.plain(), strict_ec2.client()
    vpc_id = plain.create_vpc(CidrBlock="10.88.0.0/16")["Vpc"]["VpcId"]
    roomy = plain.create_subnet(VpcId=vpc_id, CidrBlock="10.88.0.0/20")["Subnet"]["SubnetId"]
    for _ in range(1001):
        launch(plain, SubnetId=roomy)
    first = ec2.describe_instances()
    second = ec2.describe_instances(NextToken=first["NextToken"])
    assert [len(page["Reservations"]) for page in (first, second)] == [1000, 1]
    assert "NextToken" not in second


@needs("filter-values")
def test_201_filter_values_are_refused(strict_ec2):
    ec2 = strict_ec2.client()
    values = [f"i-{n:017x}" for n in range(201)]
    ec2.describe_instances(Filters=[{"Name": "instance-id", "Values": values[1:]}])
    with refused("FilterLimitExceeded"):
        ec2.describe_instances(Filters=[{"Name": "instance-id", "Values": values}])


@needs("list-pages")
def test_other_lists_have_pages_too(strict_ec2):
    ec2 = strict_ec2.client()
    vpc_id, _ = network(ec2)
    ids = {group(ec2, vpc_id, f"kite-{n}") for n in range(12)}
    here = [{"Name": "group-name", "Values": ["kite-*"]}]
    pages = list(
        ec2.get_paginator("describe_security_groups").paginate(
            Filters=here, PaginationConfig={"PageSize": 5}
        )
    )
    assert [len(page["SecurityGroups"]) for page in pages] == [5, 5, 2]
    assert {g["GroupId"] for page in pages for g in page["SecurityGroups"]} == ids
    with refused("InvalidNextToken"):
        ec2.describe_security_groups(NextToken="rubbish", MaxResults=5)
    with refused("InvalidNextToken"):
        ec2.describe_volumes(NextToken=pages[0]["NextToken"], MaxResults=5)
