import base64

from tests.cloud.strict.proof import launch, needs, refused

ARM_IMAGE = "ami-0e9271c829888680e"


@needs("instance-types")
def test_unknown_types_are_refused(strict_ec2):
    ec2 = strict_ec2.client()
    for wrong in ("M5", "m5.bogus", "m5.large;"):
        with refused("InvalidParameterValue", wrong):
            launch(ec2, InstanceType=wrong)


@needs("instance-types")
def test_a_type_not_offered_in_the_zone_is_refused(strict_ec2):
    ec2 = strict_ec2.client()
    wanted = [{"Name": "instance-type", "Values": ["m7i.large"]}]
    found = ec2.describe_instance_type_offerings(LocationType="availability-zone", Filters=wanted)[
        "InstanceTypeOfferings"
    ]
    zones = {f"us-east-1{letter}" for letter in "abcdef"} - {o["Location"] for o in found}
    with refused("Unsupported"):
        launch(ec2, InstanceType="m7i.large", Placement={"AvailabilityZone": min(zones)})


@needs("images")
def test_unknown_images_are_refused(strict_ec2):
    ec2 = strict_ec2.client()
    with refused("InvalidAMIID.NotFound"):
        launch(ec2, ImageId="ami-00000000000000000")
    with refused("InvalidParameterValue", "architecture"):
        launch(ec2, ImageId=ARM_IMAGE)
    assert launch(ec2, ImageId=ARM_IMAGE, InstanceType="m6g.large")["Architecture"] == "arm64"


@needs("launch-keys")
def test_unknown_key_pairs_are_refused(strict_ec2):
    ec2 = strict_ec2.client()
    with refused("InvalidKeyPair.NotFound"):
        launch(ec2, KeyName="missing")
    ec2.create_key_pair(KeyName="there", KeyType="ed25519")
    assert launch(ec2, KeyName="there")["KeyName"] == "there"


@needs("launch-counts")
def test_counts(strict_ec2):
    ec2 = strict_ec2.client()
    with refused("InvalidParameterValue"):
        launch(ec2, MinCount=2, MaxCount=1)
    with refused("InvalidParameterValue"):
        launch(ec2, MinCount=0, MaxCount=0)
    launch(ec2, MinCount=1, MaxCount=3)
    found = ec2.describe_instances()["Reservations"]
    assert [len(r["Instances"]) for r in found] == [3]


@needs("user-data")
def test_user_data_is_limited(strict_ec2):
    ec2 = strict_ec2.client()
    made = launch(ec2, UserData="x" * 16384)["InstanceId"]
    back = ec2.describe_instance_attribute(InstanceId=made, Attribute="userData")
    assert base64.b64decode(back["UserData"]["Value"]) == b"x" * 16384
    with refused("InvalidParameterValue", "16384"):
        launch(ec2, UserData="x" * 16385)


@needs("key-names")
def test_key_names(strict_ec2):
    ec2 = strict_ec2.client()
    for wrong in ("x" * 256, "schlüssel"):
        with refused("InvalidParameterValue"):
            ec2.create_key_pair(KeyName=wrong)


@needs("key-pair-ids")
def test_key_pairs_are_deleted_by_name_or_id_and_twice(strict_ec2):
    ec2 = strict_ec2.client()
    ec2.delete_key_pair(KeyName="never-there")
    made = ec2.create_key_pair(KeyName="one", KeyType="ed25519")
    ec2.delete_key_pair(KeyPairId=made["KeyPairId"])
    ec2.delete_key_pair(KeyPairId=made["KeyPairId"])
    assert ec2.describe_key_pairs()["KeyPairs"] == []
    with refused("InvalidKeyPair.NotFound"):
        ec2.describe_key_pairs(KeyNames=["one"])
