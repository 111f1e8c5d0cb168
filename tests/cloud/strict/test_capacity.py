from localcloud.strict.knobs import Knobs
from tests.cloud.strict.proof import launch, needs, refused

HERE, THERE = ({"AvailabilityZone": f"us-east-1{zone}"} for zone in "ab")


@needs("capacity")
def test_a_full_zone_takes_no_more_of_a_type(strict_ec2):
    ec2 = strict_ec2.client()
    old = launch(ec2, Placement=HERE)["InstanceId"]
    ec2.stop_instances(InstanceIds=[old])
    strict_ec2.api.knobs = Knobs(full=("m5.*@us-east-1a",))
    with refused("InsufficientInstanceCapacity", "us-east-1a"):
        launch(ec2, Placement=HERE)
    with refused("InsufficientInstanceCapacity"):
        ec2.start_instances(InstanceIds=[old])
    with refused("InsufficientInstanceCapacity"):
        launch(ec2, MinCount=1, MaxCount=9)
    launch(ec2, Placement=THERE)
    launch(ec2, Placement=HERE, InstanceType="c5.large")
    strict_ec2.api.knobs = Knobs()
    ec2.start_instances(InstanceIds=[old])


@needs("capacity")
def test_a_launch_refused_for_want_of_room_leaves_its_token_free(strict_ec2):
    ec2 = strict_ec2.client()
    strict_ec2.api.knobs = Knobs(full=("*@*",))
    with refused("InsufficientInstanceCapacity"):
        launch(ec2, ClientToken="t")
    strict_ec2.api.knobs = Knobs()
    assert launch(ec2, ClientToken="t", InstanceType="c5.large")["InstanceType"] == "c5.large"


@needs("vcpu-quota")
def test_running_instances_share_a_quota_of_vcpus(strict_ec2):
    ec2 = strict_ec2.client()
    strict_ec2.api.knobs = Knobs(vcpu_quota=4)
    first = launch(ec2)["InstanceId"]
    with refused("VcpuLimitExceeded", "limit of 4"):
        launch(ec2, MinCount=2, MaxCount=2)
    launch(ec2)
    with refused("VcpuLimitExceeded"):
        launch(ec2)
    ec2.stop_instances(InstanceIds=[first])
    launch(ec2)
    with refused("VcpuLimitExceeded"):
        ec2.start_instances(InstanceIds=[first])
    ec2.terminate_instances(InstanceIds=[first])
    launch(ec2, InstanceType="g4dn.xlarge")


@needs("no-spot")
def test_spot_is_refused_rather_than_made_up(strict_ec2):
    ec2 = strict_ec2.client()
    with refused("UnsupportedOperation"):
        launch(ec2, InstanceMarketOptions={"MarketType": "spot"})
    with refused("UnsupportedOperation"):
        ec2.request_spot_instances(LaunchSpecification={"ImageId": "ami-785db401"})
    with refused("UnsupportedOperation"):
        ec2.describe_spot_price_history()
    launch(ec2)
