from concurrent.futures import ThreadPoolExecutor

from tests.cloud.strict.proof import launch, needs, network, refused, seen


@needs("client-token")
def test_same_token_same_parameters_is_the_same_instance(strict_ec2):
    ec2 = strict_ec2.client()
    first = launch(ec2, ClientToken="t1")
    again = launch(ec2, ClientToken="t1")
    assert again["InstanceId"] == first["InstanceId"]
    assert len(ec2.describe_instances()["Reservations"]) == 1


def test_the_second_reply_shows_the_instance_as_it_is_now(strict_ec2):
    ec2 = strict_ec2.client()
    _, subnet_id = network(ec2)
    spec = [{"ResourceType": "instance", "Tags": [{"Key": "a", "Value": "b"}]}]
    params = {"ClientToken": "t1", "SubnetId": subnet_id, "TagSpecifications": spec}
    first = launch(ec2, **params)
    ec2.create_tags(Resources=[first["InstanceId"]], Tags=[{"Key": "later", "Value": "x"}])
    again = launch(ec2, **params)
    assert {t["Key"] for t in again["Tags"]} == {"a", "later"}
    assert (first["State"]["Name"], again["State"]["Name"]) == ("pending", "running")
    assert again["PrivateIpAddress"] == first["PrivateIpAddress"]
    assert again["SubnetId"] == subnet_id


@needs("client-token")
def test_same_token_other_parameters_is_a_mismatch(strict_ec2):
    ec2 = strict_ec2.client()
    launch(ec2, ClientToken="t1")
    with refused("IdempotentParameterMismatch"):
        launch(ec2, ClientToken="t1", InstanceType="m5.xlarge")


@needs("client-token")
def test_the_token_of_a_terminated_instance_is_refused(strict_ec2):
    ec2 = strict_ec2.client()
    made = launch(ec2, ClientToken="t1")
    ec2.terminate_instances(InstanceIds=[made["InstanceId"]])
    with refused("IdempotentInstanceTerminated"):
        launch(ec2, ClientToken="t1")
    strict_ec2.clock.advance(7200)
    with refused("IdempotentInstanceTerminated"):
        launch(ec2, ClientToken="t1")


@needs("client-token")
def test_a_token_of_65_characters_is_refused(strict_ec2):
    ec2 = strict_ec2.client()
    launch(ec2, ClientToken="x" * 64)
    with refused("InvalidParameterValue", "token"):
        launch(ec2, ClientToken="x" * 65)


def test_tokens_count_per_region_and_per_named_zone(strict_ec2):
    ec2 = strict_ec2.client()
    here = launch(ec2, ClientToken="t1")
    there = launch(strict_ec2.client(region="eu-west-1"), ClientToken="t1")
    zoned = launch(ec2, ClientToken="t1", Placement={"AvailabilityZone": "us-east-1b"})
    assert len({i["InstanceId"] for i in (here, there, zoned)}) == 3


def test_a_failed_launch_leaves_its_token_free(strict_ec2):
    ec2 = strict_ec2.client()
    with refused("InvalidKeyPair.NotFound"):
        launch(ec2, ClientToken="t1", KeyName="missing")
    assert launch(ec2, ClientToken="t1")["InstanceId"]


def test_a_dry_run_leaves_its_token_free(strict_ec2):
    ec2 = strict_ec2.client()
    with refused("DryRunOperation"):
        launch(ec2, ClientToken="t1", DryRun=True)
    assert launch(ec2, ClientToken="t1", InstanceType="m5.xlarge")["InstanceId"]


@needs("client-token")
def test_a_volume_made_with_a_token_is_made_once(strict_ec2):
    ec2 = strict_ec2.client()
    params = {"AvailabilityZone": "us-east-1a", "Size": 5, "ClientToken": "v1"}
    first, again = ec2.create_volume(**params), ec2.create_volume(**params)
    assert first["VolumeId"] == again["VolumeId"]
    with refused("IdempotentParameterMismatch"):
        ec2.create_volume(**{**params, "Size": 6})


@needs("client-token-filter")
def test_instances_are_found_by_their_token(strict_ec2):
    ec2 = strict_ec2.client()
    made = launch(ec2, ClientToken="t1")
    launch(ec2, ClientToken="t2")
    found = ec2.describe_instances(Filters=[{"Name": "client-token", "Values": ["t1"]}])
    ids = [i["InstanceId"] for r in found["Reservations"] for i in r["Instances"]]
    assert ids == [made["InstanceId"]]
    assert seen(ec2, made["InstanceId"])["ClientToken"] == "t1"
    nothing = ec2.describe_instances(Filters=[{"Name": "client-token", "Values": ["t3"]}])
    assert nothing["Reservations"] == []


def test_plain_moto_launches_twice(strict_ec2):
    plain = strict_ec2.plain()
    with strict_ec2.api.chain.without("client-token"):
        assert (
            launch(plain, ClientToken="t")["InstanceId"]
            != (launch(plain, ClientToken="t")["InstanceId"])
        )


@needs("client-token-filter")
def test_instances_are_found_by_other_names_of_the_api(strict_ec2):
    ec2 = strict_ec2.client()
    made = launch(ec2)
    launch(ec2)
    whole = seen(ec2, made["InstanceId"])
    reservation = ec2.describe_instances(InstanceIds=[made["InstanceId"]])["Reservations"][0]
    for name, value in (
        ("reservation-id", reservation["ReservationId"]),
        (
            "network-interface.network-interface-id",
            whole["NetworkInterfaces"][0]["NetworkInterfaceId"],
        ),
        ("block-device-mapping.volume-id", whole["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]),
    ):
        found = ec2.describe_instances(Filters=[{"Name": name, "Values": [value]}])
        ids = [i["InstanceId"] for r in found["Reservations"] for i in r["Instances"]]
        assert ids == [made["InstanceId"]], name
    running = ec2.describe_instances(Filters=[{"Name": "instance-state-code", "Values": ["16"]}])
    assert len(running["Reservations"]) == 2


def test_eight_at_once_with_one_token_make_one_instance(strict_ec2):
    ec2 = strict_ec2.client(max_pool_connections=8)
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda _: launch(ec2, ClientToken="t"), range(8)))
    assert len({one["InstanceId"] for one in made}) == 1
    assert len(ec2.describe_instances()["Reservations"]) == 1
