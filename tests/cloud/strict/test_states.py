from tests.cloud.strict.proof import launch, needs, refused, seen


@needs("power-states")
def test_an_ended_instance_is_not_started(strict_ec2):
    ec2 = strict_ec2.client()
    made = launch(ec2)["InstanceId"]
    ec2.terminate_instances(InstanceIds=[made])
    with refused("IncorrectInstanceState"):
        ec2.start_instances(InstanceIds=[made])
    with refused("IncorrectInstanceState"):
        ec2.stop_instances(InstanceIds=[made])
    with refused("IncorrectInstanceState"):
        ec2.reboot_instances(InstanceIds=[made])


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
