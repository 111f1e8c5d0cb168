"""The inventory that operators use on AWS, read by its own plugin from a strict EC2."""

import json
import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / ".strangers/bin/ansible-inventory"
pytestmark = [
    pytest.mark.skipif(not PROGRAM.exists(), reason="no .strangers (deploy/setup.sh strangers)"),
    pytest.mark.timeout(120),
]


@pytest.fixture
def listed(strict_ec2, tmp_path):
    def run(**environment):
        return subprocess.run(
            [PROGRAM, "-i", "inventories/aws_ec2.yml", "--list"],
            cwd=ROOT / "playbooks",
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(tmp_path),
                "LANG": "C.UTF-8",
                "AWS_ENDPOINT_URL": strict_ec2.api.endpoint,
                "AWS_ACCESS_KEY_ID": "test",
                "AWS_SECRET_ACCESS_KEY": "test",
                **environment,
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return run


def launch(ec2, cluster, role):
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    tags = {"kite:cluster": cluster, "node-type": role, "milvus-name": "{{ 7 * 7 }}"}
    told = [{"Key": key, "Value": value} for key, value in tags.items()]
    found = ec2.run_instances(
        ImageId=image,
        InstanceType="m5.large",
        MinCount=1,
        MaxCount=1,
        TagSpecifications=[{"ResourceType": "instance", "Tags": told}],
    )
    return found["Instances"][0]["InstanceId"]


def test_it_finds_the_running_machines_of_one_cluster_by_their_roles(strict_ec2, listed):
    ec2 = strict_ec2.client()
    master, worker = launch(ec2, "c1", "master"), launch(ec2, "c1", "worker")
    launch(ec2, "c2", "master")
    stopped = launch(ec2, "c1", "worker")
    ec2.stop_instances(InstanceIds=[stopped])

    done = listed(KITE_CLUSTER="c1", AWS_REGION="us-east-1")

    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert set(found["milvus"]["hosts"]) == {master, worker}
    assert (found["master"]["hosts"], found["worker"]["hosts"]) == ([master], [worker])
    assert stopped not in done.stdout
    private = ec2.describe_instances(InstanceIds=[master])["Reservations"][0]["Instances"][0]
    known = found["_meta"]["hostvars"][master]
    assert known["ansible_host"] == {"__ansible_unsafe": private["PrivateIpAddress"]}
    assert known["ansible_user"] == {"__ansible_unsafe": "ubuntu"}
    assert known["tags"]["milvus-name"] == {"__ansible_unsafe": "{{ 7 * 7 }}"}


@pytest.mark.parametrize("missing", ["KITE_CLUSTER", "AWS_REGION"])
def test_what_it_needs_is_asked_for(listed, missing):
    given = {"KITE_CLUSTER": "c1", "AWS_REGION": "us-east-1"}

    done = listed(**{name: value for name, value in given.items() if name != missing})

    assert done.returncode != 0
    assert f"set {missing}" in done.stderr
