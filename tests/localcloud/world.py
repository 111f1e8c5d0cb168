"""What the tests ask of a local cloud: launch, wait, log in, be a client."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import boto3
from botocore.config import Config

from localcloud.ground import Ground

GROUND = Ground("kt", 187)
ROOT = Path(__file__).parents[2]
PATIENCE = 60


def command(ground, *words):
    """Run `python -m localcloud` on a ground of the tests' own."""
    return subprocess.run(
        [sys.executable, "-m", "localcloud", *words],
        cwd=ROOT,
        env={**os.environ, "KITE_LOCALCLOUD_GROUND": f"{ground.prefix}:{ground.number}"},
        text=True,
        capture_output=True,
        check=False,
        timeout=PATIENCE,
    )


def until(ask, what="it"):
    """Ask again until the answer is true; a generous end, no figure is asserted."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if answer := ask():
            return answer
        time.sleep(0.05)
    raise TimeoutError(f"{what} did not happen within {PATIENCE} s")


@contextmanager
def raise_world(ground, folder):
    """A serving process and its ready line; ended with SIGTERM, which must succeed."""
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "localcloud", "serve", "--state", folder / "state", "--port=0"],
            cwd=ROOT,
            env={**os.environ, "KITE_LOCALCLOUD_GROUND": f"{ground.prefix}:{ground.number}"},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    try:
        line = process.stdout.readline()
        if not line:
            raise RuntimeError((folder / "log").read_text())
        yield World(ground, process, json.loads(line), folder)
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(PATIENCE)
        process.stdout.close()
    assert code == 0, (folder / "log").read_text()


@dataclass
class World:
    ground: Ground
    process: subprocess.Popen
    ready: dict
    folder: Path

    @cached_property
    def ec2(self):
        return boto3.client(
            "ec2",
            endpoint_url=self.ready["endpoint"],
            region_name="us-east-1",
            aws_access_key_id="x",
            aws_secret_access_key="x",
            config=Config(proxies={}),
        )

    @cached_property
    def key(self):
        pair = self.ec2.create_key_pair(KeyName="tests", KeyType="ed25519")
        path = self.folder / "key"
        path.touch(mode=0o600)
        path.write_text(pair["KeyMaterial"])
        return path

    @cached_property
    def gate(self):
        """A group through which this machine, the control plane, may log in."""
        group = self.group("gate")
        self.allow(group, 22, f"{self.ground.gateway}/32")
        return group

    def group(self, name):
        made = self.ec2.create_security_group(
            GroupName=name, Description=name, VpcId=self.ready["vpc_id"]
        )
        return made["GroupId"]

    @staticmethod
    def rule(port, cidr):
        return [
            {
                "IpProtocol": "tcp",
                "FromPort": port,
                "ToPort": port,
                "IpRanges": [{"CidrIp": cidr}],
            }
        ]

    def allow(self, group, port, cidr):
        self.ec2.authorize_security_group_ingress(
            GroupId=group, IpPermissions=self.rule(port, cidr)
        )

    def refuse(self, group, port, cidr):
        self.ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=self.rule(port, cidr))

    def launch(self, *, root=8, data=(), user_data=None, groups=(), public=True, **more):
        """RunInstances with a root volume and data volumes of so many GiB; its id."""
        volumes = [("/dev/sda1", root), *zip(("/dev/sdf", "/dev/sdg"), data, strict=False)]
        if user_data is not None:
            more["UserData"] = user_data
        _ = self.key
        made = self.ec2.run_instances(
            ImageId=self.ready["image_id"],
            InstanceType="m5.large",
            MinCount=1,
            MaxCount=1,
            KeyName="tests",
            NetworkInterfaces=[
                {
                    "DeviceIndex": 0,
                    "SubnetId": self.ready["subnet_id"],
                    "Groups": [self.gate, *groups],
                    "AssociatePublicIpAddress": public,
                }
            ],
            BlockDeviceMappings=[
                {
                    "DeviceName": device,
                    "Ebs": {"VolumeSize": gib, "DeleteOnTermination": True, "VolumeType": "gp3"},
                }
                for device, gib in volumes
            ],
            **more,
        )
        return made["Instances"][0]["InstanceId"]

    def see(self, instance_id):
        found = self.ec2.describe_instances(InstanceIds=[instance_id])
        return found["Reservations"][0]["Instances"][0]

    def wait(self, instance_id, state="running"):
        def reached():
            seen = self.see(instance_id)
            return seen if seen["State"]["Name"] == state else None

        return until(reached, f"{instance_id} being {state}")

    def end(self, instance_id):
        """Terminate, and wait until the host is no more."""
        self.ec2.terminate_instances(InstanceIds=[instance_id])
        until(lambda: instance_id not in self.status(), f"the end of {instance_id}")

    def status(self):
        path = self.folder / "state/status.json"
        return json.loads(path.read_text()) if path.exists() else {}

    def login(self, instance_id, script, *, check=True):
        """Run a script on the host as `ubuntu`, over SSH, as Ansible does."""
        address = self.see(instance_id)["PrivateIpAddress"]
        done = subprocess.run(
            [
                *("ssh", "-i", self.key, "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no"),
                *("-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"),
                *("-o", "ConnectTimeout=2", f"ubuntu@{address}", script),
            ],
            text=True,
            capture_output=True,
            check=False,
            timeout=PATIENCE,
        )
        if check and done.returncode:
            raise RuntimeError(f"{script}: {done.stderr}")
        return done.stdout.strip() if check else done

    def scan(self, instance_id):
        """The host key as a stranger sees it: `ssh-ed25519 AAAA…`."""
        address = self.see(instance_id)["PrivateIpAddress"]
        done = subprocess.run(
            ["ssh-keyscan", "-T", "5", "-t", "ed25519", address],
            text=True,
            capture_output=True,
            check=False,
        )
        return " ".join(done.stdout.split()[1:3])

    def client(self, name, last):
        address = str(self.ground.public[int(last)])
        done = command(self.ground, "client", "add", name, "--address", address)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)["namespace"]

    def as_client(self, name, *argv, **more):
        """A process of a client machine."""
        namespace = self.ground.client_namespace(name)
        return subprocess.Popen(
            ["ip", "netns", "exec", namespace, *argv],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **more,
        )

    def reaches(self, name, address, port):
        """Whether a client gets a connection, new each time."""
        code = f"import socket; socket.create_connection(({address!r}, {port}), 0.7).close()"
        with self.as_client(name, sys.executable, "-c", code) as process:
            process.communicate(timeout=PATIENCE)
        return process.returncode == 0
