from tests.cloud.strict.proof import launch, needs, refused, seen

KEPT = ("PrivateIpAddress", "PublicIpAddress", "LaunchTime")


@needs("power-states")
def test_an_ended_instance_is_not_started(strict_ec2):
    ec2 = strict_ec2.client()
    made = launch(ec2)["InstanceId"]
    ec2.terminate_instances(InstanceIds=[made])
    with refused("IncorrectInstanceState"):
        ec2.start_instances(InstanceIds=[made])
    with refused("IncorrectInstanceState"):
        ec2.stop_instances(InstanceIds=[made])


@needs("power-states")
def test_a_stopped_instance_is_not_rebooted(strict_ec2):
    ec2 = strict_ec2.client()
    made = launch(ec2)["InstanceId"]
    ec2.stop_instances(InstanceIds=[made])
    with refused("IncorrectInstanceState"):
        ec2.reboot_instances(InstanceIds=[made])
    assert strict_ec2.api.take_reboots() == []


@needs("reboots")
def test_a_reboot_is_queued_and_of_what_ended_ignored(strict_ec2):
    ec2 = strict_ec2.client()
    ended, live = launch(ec2)["InstanceId"], launch(ec2)
    ec2.terminate_instances(InstanceIds=[ended])
    with refused("DryRunOperation"):
        ec2.reboot_instances(InstanceIds=[live["InstanceId"]], DryRun=True)
    ec2.reboot_instances(InstanceIds=[ended, live["InstanceId"]])
    ec2.reboot_instances(InstanceIds=[ended])
    assert seen(ec2, ended)["State"]["Name"] == "terminated"
    now = seen(ec2, live["InstanceId"])
    assert now["State"]["Name"] == "running"
    assert [now[part] for part in KEPT] == [live[part] for part in KEPT]
    assert strict_ec2.api.take_reboots() == [live["InstanceId"]]
    assert strict_ec2.api.take_reboots() == []


def test_a_reboot_of_the_unknown_is_refused_as_a_whole(strict_ec2):
    ec2 = strict_ec2.client()
    made, unknown = launch(ec2)["InstanceId"], ["i-00000000", "i-11111111"]
    with refused("InvalidInstanceID.NotFound", ", ".join(unknown)):
        ec2.reboot_instances(InstanceIds=[made, *unknown])
    assert strict_ec2.api.take_reboots() == []


@needs("power-states")
def test_one_wrong_instance_refuses_the_whole_call(strict_ec2):
    ec2 = strict_ec2.client()
    ended, live = launch(ec2)["InstanceId"], launch(ec2)["InstanceId"]
    ec2.terminate_instances(InstanceIds=[ended])
    with refused("IncorrectInstanceState"):
        ec2.stop_instances(InstanceIds=[live, ended])
    assert seen(ec2, live)["State"]["Name"] == "running"


@needs("modify-states")
def test_the_type_changes_on_a_stopped_instance_only(strict_ec2):
    ec2 = strict_ec2.client()
    made = launch(ec2)["InstanceId"]
    with refused("IncorrectInstanceState"):
        ec2.modify_instance_attribute(InstanceId=made, InstanceType={"Value": "m5.xlarge"})
    with refused("IncorrectInstanceState"):
        ec2.modify_instance_attribute(InstanceId=made, Attribute="userData", Value="eA==")
    ec2.modify_instance_attribute(InstanceId=made, DisableApiTermination={"Value": False})
    ec2.stop_instances(InstanceIds=[made])
    ec2.modify_instance_attribute(InstanceId=made, InstanceType={"Value": "m5.xlarge"})


@needs("modify-states")
def test_an_ended_instance_is_not_modified(strict_ec2):
    ec2 = strict_ec2.client()
    made = launch(ec2)["InstanceId"]
    ec2.terminate_instances(InstanceIds=[made])
    with refused("IncorrectInstanceState"):
        ec2.modify_instance_attribute(InstanceId=made, DisableApiTermination={"Value": True})
