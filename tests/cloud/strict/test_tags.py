from tests.cloud.strict.proof import group, launch, needs, network, refused


def spec(*pairs, kind="instance"):
    return [{"ResourceType": kind, "Tags": [{"Key": k, "Value": v} for k, v in pairs]}]


@needs("tag-limits")
def test_tags_that_aws_does_not_take_launch_nothing(strict_ec2):
    ec2 = strict_ec2.client()
    for wrong in (
        [("k" * 129, "v")],
        [("k", "v" * 257)],
        [("aws:k", "v")],
        [("AWS:k", "v")],
        [("k", "1"), ("k", "2")],
        [("", "v")],
    ):
        with refused("InvalidParameterValue"):
            launch(ec2, TagSpecifications=spec(*wrong))
    with refused("TagLimitExceeded"):
        launch(ec2, TagSpecifications=spec(*((f"k{n}", "") for n in range(51))))
    assert ec2.describe_instances()["Reservations"] == []


@needs("tag-limits")
def test_fifty_long_tags_are_taken_and_no_more_later(strict_ec2):
    ec2 = strict_ec2.client()
    fifty = [("k" * 126 + f"{n:02}", "v" * 256) for n in range(50)]
    made = launch(ec2, TagSpecifications=spec(*fifty))["InstanceId"]
    with refused("TagLimitExceeded"):
        ec2.create_tags(Resources=[made], Tags=[{"Key": "one-more", "Value": ""}])
    ec2.create_tags(Resources=[made], Tags=[{"Key": fifty[0][0], "Value": "new"}])
    with refused("InvalidParameterValue"):
        ec2.create_tags(Resources=[made], Tags=[{"Key": "aws:x", "Value": ""}])


@needs("tag-limits")
def test_a_kind_that_the_action_does_not_make_is_refused(strict_ec2):
    ec2 = strict_ec2.client()
    with refused("InvalidParameterValue", "taggable"):
        launch(ec2, TagSpecifications=spec(("k", "v"), kind="security-group"))
    with refused("InvalidParameterValue", "taggable"):
        ec2.allocate_address(TagSpecifications=spec(("k", "v"), kind="instance"))


@needs("tagged-things")
def test_tagging_what_is_not_there_is_refused_whole(strict_ec2):
    ec2 = strict_ec2.client()
    made = launch(ec2)["InstanceId"]
    tags = [{"Key": "k", "Value": "v"}]
    for resource, code in (
        ("i-00000000000000000", "InvalidInstanceID.NotFound"),
        ("vol-00000000000000000", "InvalidVolume.NotFound"),
        ("sg-00000000000000000", "InvalidGroup.NotFound"),
        ("eni-00000000000000000", "InvalidNetworkInterfaceID.NotFound"),
        ("eipalloc-00000000000000000", "InvalidAllocationID.NotFound"),
    ):
        with refused(code):
            ec2.create_tags(Resources=[made, resource], Tags=tags)
    assert ec2.describe_tags()["Tags"] == []


def test_an_id_of_no_kind_is_refused(strict_ec2):
    with refused("InvalidID"):
        strict_ec2.client().create_tags(Resources=["rubbish"], Tags=[{"Key": "k", "Value": "v"}])


@needs("tags-end")
def test_tags_are_described_by_kind_and_end_with_their_resource(strict_ec2):
    ec2 = strict_ec2.client()
    vpc_id, _ = network(ec2)
    tags = [{"Key": "k", "Value": "v"}]
    key = ec2.create_key_pair(KeyName="one", KeyType="ed25519")["KeyPairId"]
    address = ec2.allocate_address()["AllocationId"]
    made = group(ec2, vpc_id)
    volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=5)["VolumeId"]
    ec2.create_tags(Resources=[key, address, made, volume], Tags=tags)
    kinds = {t["ResourceId"]: t["ResourceType"] for t in ec2.describe_tags()["Tags"]}
    assert kinds == {
        key: "key-pair",
        address: "elastic-ip",
        made: "security-group",
        volume: "volume",
    }
    ec2.delete_key_pair(KeyName="one")
    ec2.release_address(AllocationId=address)
    ec2.delete_security_group(GroupId=made)
    ec2.delete_volume(VolumeId=volume)
    assert ec2.describe_tags()["Tags"] == []
