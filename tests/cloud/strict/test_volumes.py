from localcloud.strict.knobs import Knobs
from tests.cloud.strict.proof import launch, needs, refused


def disk(device, size, **ebs):
    return {"DeviceName": device, "Ebs": {"VolumeSize": size, "VolumeType": "gp3", **ebs}}


def volumes(ec2, instance_id):
    wanted = [{"Name": "attachment.instance-id", "Values": [instance_id]}]
    found = ec2.describe_volumes(Filters=wanted)["Volumes"]
    return {v["Attachments"][0]["Device"]: v for v in found}


@needs("volume-growth")
def test_a_volume_grows_but_never_shrinks(strict_ec2):
    ec2 = strict_ec2.client()
    made = ec2.create_volume(AvailabilityZone="us-east-1a", Size=50, VolumeType="gp3")["VolumeId"]
    ec2.modify_volume(VolumeId=made, Size=60)
    with refused("InvalidParameterValue", "smaller"):
        ec2.modify_volume(VolumeId=made, Size=59)
    with refused("InvalidParameterValue", "large"):
        ec2.modify_volume(VolumeId=made, Size=65537)
    assert ec2.describe_volumes(VolumeIds=[made])["Volumes"][0]["Size"] == 60


@needs("volume-sizes")
def test_a_volume_too_large_or_of_no_known_type_is_refused(strict_ec2):
    ec2 = strict_ec2.client()
    zone = {"AvailabilityZone": "us-east-1a"}
    with refused("InvalidParameterValue", "large"):
        ec2.create_volume(**zone, Size=1_000_000, VolumeType="gp3")
    with refused("InvalidParameterValue", "small"):
        ec2.create_volume(**zone, Size=10, VolumeType="st1")
    with refused("UnknownVolumeType"):
        ec2.create_volume(**zone, Size=10, VolumeType="gp9")
    with refused("InvalidParameterValue", "large"):
        launch(ec2, BlockDeviceMappings=[disk("/dev/sdf", 1_000_000)])
    assert ec2.describe_instances()["Reservations"] == []


@needs("root-volume")
def test_a_launch_with_a_data_volume_still_has_its_root(strict_ec2):
    ec2 = strict_ec2.client()
    made = launch(ec2, BlockDeviceMappings=[disk("/dev/sdf", 50, DeleteOnTermination=True)])
    assert {d: v["Size"] for d, v in volumes(ec2, made["InstanceId"]).items()} == {
        "/dev/sda1": 8,
        "/dev/sdf": 50,
    }
    ec2.terminate_instances(InstanceIds=[made["InstanceId"]])
    assert ec2.describe_volumes()["Volumes"] == []


@needs("root-volume")
def test_a_larger_root_ends_with_its_instance(strict_ec2):
    ec2 = strict_ec2.client()
    made = launch(ec2, BlockDeviceMappings=[disk("/dev/sda1", 20)])["InstanceId"]
    ec2.terminate_instances(InstanceIds=[made])
    assert ec2.describe_volumes()["Volumes"] == []


def test_a_volume_to_keep_is_kept(strict_ec2):
    ec2 = strict_ec2.client()
    kept = disk("/dev/sdf", 50, DeleteOnTermination=False)
    made = launch(ec2, BlockDeviceMappings=[kept])["InstanceId"]
    ec2.terminate_instances(InstanceIds=[made])
    assert [v["State"] for v in ec2.describe_volumes()["Volumes"]] == ["available"]


@needs("attaching")
def test_attaching_wants_a_free_volume_a_live_instance_and_a_free_device(strict_ec2):
    ec2 = strict_ec2.client()
    here = launch(ec2, Placement={"AvailabilityZone": "us-east-1a"})["InstanceId"]
    far = launch(ec2, Placement={"AvailabilityZone": "us-east-1b"})["InstanceId"]
    made = ec2.create_volume(AvailabilityZone="us-east-1a", Size=5)["VolumeId"]
    with refused("InvalidVolume.ZoneMismatch"):
        ec2.attach_volume(VolumeId=made, InstanceId=far, Device="/dev/sdf")
    with refused("InvalidParameterValue", "/dev/sda1"):
        ec2.attach_volume(VolumeId=made, InstanceId=here, Device="/dev/sda1")
    ec2.attach_volume(VolumeId=made, InstanceId=here, Device="/dev/sdf")
    with refused("VolumeInUse"):
        ec2.attach_volume(VolumeId=made, InstanceId=here, Device="/dev/sdg")
    ec2.detach_volume(VolumeId=made)
    ec2.terminate_instances(InstanceIds=[here])
    with refused("IncorrectState"):
        ec2.attach_volume(VolumeId=made, InstanceId=here, Device="/dev/sdf")


@needs("detaching")
def test_detaching_needs_the_volume_only_and_never_takes_a_live_root(strict_ec2):
    ec2 = strict_ec2.client()
    here = launch(ec2, Placement={"AvailabilityZone": "us-east-1a"})["InstanceId"]
    made = ec2.create_volume(AvailabilityZone="us-east-1a", Size=5)["VolumeId"]
    with refused("IncorrectState"):
        ec2.detach_volume(VolumeId=made)
    ec2.attach_volume(VolumeId=made, InstanceId=here, Device="/dev/sdf")
    ec2.detach_volume(VolumeId=made)
    with refused("OperationNotPermitted"):
        ec2.detach_volume(VolumeId=volumes(ec2, here)["/dev/sda1"]["VolumeId"])


def gp3(ec2):
    made = ec2.create_volume(AvailabilityZone="us-east-1a", Size=50, VolumeType="gp3")
    return made["VolumeId"]


@needs("modify-cooldown")
def test_a_volume_is_changed_once_in_six_hours(strict_ec2):
    ec2 = strict_ec2.client()
    made, other = gp3(ec2), gp3(ec2)
    ec2.modify_volume(VolumeId=made, Size=60)
    strict_ec2.clock.advance(6 * 3600 - 1)
    with refused("VolumeModificationRateExceeded", "6 hours"):
        ec2.modify_volume(VolumeId=made, Size=70)
    ec2.modify_volume(VolumeId=other, Size=60)
    strict_ec2.clock.advance(1)
    ec2.modify_volume(VolumeId=made, Size=70)


@needs("modify-cooldown")
def test_or_four_times_a_day_where_that_has_arrived(strict_ec2):
    strict_ec2.api.knobs = Knobs(volume_changes=4, volume_changes_seconds=86_400)
    ec2 = strict_ec2.client()
    made = gp3(ec2)
    for size in (51, 52, 53, 54):
        ec2.modify_volume(VolumeId=made, Size=size)
        strict_ec2.clock.advance(3600)
    with refused("VolumeModificationRateExceeded", "24 hours"):
        ec2.modify_volume(VolumeId=made, Size=55)
    strict_ec2.clock.advance(20 * 3600)
    ec2.modify_volume(VolumeId=made, Size=55)


@needs("optimizing")
def test_a_change_takes_its_time_and_refuses_the_next_meanwhile(strict_ec2):
    strict_ec2.api.knobs = Knobs(optimizing_seconds=100, volume_changes=9)
    ec2 = strict_ec2.client()
    made = gp3(ec2)
    ec2.modify_volume(VolumeId=made, Size=60)

    def change():
        found = ec2.describe_volumes_modifications(VolumeIds=[made])["VolumesModifications"]
        return found[-1]["ModificationState"], found[-1]["Progress"]

    strict_ec2.clock.advance(25)
    assert change() == ("optimizing", 25)
    with refused("IncorrectModificationState"):
        ec2.modify_volume(VolumeId=made, Size=70)
    strict_ec2.clock.advance(75)
    assert change() == ("completed", 100)
    ec2.modify_volume(VolumeId=made, Size=70)
