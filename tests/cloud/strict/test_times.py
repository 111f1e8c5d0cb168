from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from tests.cloud.strict.proof import launch, needs, seen

HOUR = 3_600


@needs("one-clock")
def test_launches_and_volumes_are_dated_by_the_clock_of_the_answers(strict_ec2):
    ec2, clock = strict_ec2.client(), strict_ec2.clock
    clock.advance(HOUR)
    now = datetime.fromtimestamp(clock(), UTC)
    machine = seen(ec2, launch(ec2)["InstanceId"])
    assert machine["LaunchTime"] == now
    (mapped,) = machine["BlockDeviceMappings"]
    assert mapped["Ebs"]["AttachTime"] == now
    (root,) = ec2.describe_volumes(VolumeIds=[mapped["Ebs"]["VolumeId"]])["Volumes"]
    assert (root["CreateTime"], root["Attachments"][0]["AttachTime"]) == (now, now)
    clock.advance(HOUR)
    made = ec2.create_volume(AvailabilityZone="us-east-1a", Size=8)
    assert made["CreateTime"] == now + timedelta(hours=1)


@needs("one-clock")
def test_an_age_is_the_time_that_passed_for_ec2(strict_ec2):
    ec2 = strict_ec2.client()
    machine_id = launch(ec2)["InstanceId"]
    strict_ec2.clock.advance(300)
    told = ec2.describe_instances(InstanceIds=[machine_id])
    date = parsedate_to_datetime(told["ResponseMetadata"]["HTTPHeaders"]["date"])
    born = told["Reservations"][0]["Instances"][0]["LaunchTime"]
    assert date - born == timedelta(seconds=300)
