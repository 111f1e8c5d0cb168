"""The local cloud beside its prototype: from RunInstances to an SSH server that greets.

The prototype is a folder outside this repository, named by KITE_BENCH_PROTOTYPE. It stands on the
ground of the demo, so none may run meanwhile.
"""

import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from localcloud import root, tenancy
from localcloud.ground import Ground
from tests.bench.hosts import GROUND
from tests.bench.rows import Row, not_measured
from tests.localcloud.world import raise_world, until
from tests.worlds.services import free_ports

SETTING = "KITE_BENCH_PROTOTYPE"
ID, WHAT = "PROTO-boot", "seconds from launch to SSH, local cloud / its prototype"
ROUNDS = 3
IMAGE = "ami-12c6146b"  # one of moto's own


@dataclass
class Prototype:
    """Its EC2 endpoint, and the network that it expects."""

    ec2: Any
    subnet: str
    group: str

    def launch(self):
        made = self.ec2.run_instances(
            ImageId=IMAGE, InstanceType="m5.large", MinCount=1, MaxCount=1, SubnetId=self.subnet,
            SecurityGroupIds=[self.group],
        )  # fmt: skip
        return made["Instances"][0]

    def end(self, instance_id):
        self.ec2.terminate_instances(InstanceIds=[instance_id])


def measure():
    folder = os.environ.get(SETTING, "")
    if lacks := _lacks(folder):
        return [not_measured(ID, WHAT, lacks)]
    with tempfile.TemporaryDirectory() as place:
        ours = _ours(Path(place))
        theirs = _theirs(Path(folder), Path(place))
    detail = f"{WHAT} ({ours:.2f} / {theirs:.2f} s; ours waits in pending as EC2 does)"
    return [Row(ID, detail, ours / theirs, None, None)]


def _lacks(folder):
    if not folder:
        return f"{SETTING} names no folder"
    if not Path(folder, "localcloud.py").is_file():
        return f"no localcloud.py in the folder of {SETTING}"
    if os.geteuid() != 0:
        return "not root"
    holder = tenancy.tenant(Ground())
    return "a demo runs" if holder and holder.lives() else ""


def _ours(folder):
    with raise_world(GROUND, folder) as world:
        _ = world.gate
        seconds = []
        for _round in range(ROUNDS):
            since = time.perf_counter()
            id_ = world.launch()
            address = world.see(id_)["PrivateIpAddress"]
            until(lambda address=address: _greets(address), "SSH")
            seconds.append(time.perf_counter() - since)
            world.end(id_)
    return statistics.median(seconds)


def _theirs(folder, place):
    with _raised(folder, place) as prototype:
        seconds = []
        for _round in range(ROUNDS):
            since = time.perf_counter()
            made = prototype.launch()
            until(lambda made=made: _greets(made["PrivateIpAddress"]), "SSH")
            seconds.append(time.perf_counter() - since)
            prototype.end(made["InstanceId"])
            time.sleep(1)  # it looks every 0.4 s; ends hosts one by one
    return statistics.median(seconds)


@contextmanager
def _raised(folder, place):
    (port,) = free_ports(1)
    rootfs = _plain_root(place / "root")
    work = place / "prototype"
    work.mkdir()
    command = (sys.executable, folder / "localcloud.py", rootfs, work, str(port))
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=work) as process:
        try:
            assert process.stdout.readline() == "ready\n"
            yield _network(f"http://127.0.0.1:{port}")
        finally:
            process.send_signal(signal.SIGTERM)
            process.stdout.read()


def _plain_root(folder):
    """Our hosts' root without what the prototype adds to its hosts itself."""
    subprocess.run(["cp", "-a", root.place(root.recipe(), root.cache()), folder], check=True)
    subprocess.run(["chroot", folder, "userdel", "-r", "ubuntu"], check=True, capture_output=True)
    for unit in (folder / "etc/systemd/system").iterdir():
        if unit.is_symlink() and str(unit.readlink()) == os.devnull:
            unit.unlink()
    return folder


def _network(endpoint):
    ec2 = boto3.client(
        "ec2", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="x",
        aws_secret_access_key="x",
    )  # fmt: skip
    vpc = ec2.create_vpc(CidrBlock="10.88.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.88.1.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(GroupName="gate", Description="gate", VpcId=vpc)["GroupId"]
    ec2.authorize_security_group_ingress(
        GroupId=group, IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp="10.88.0.1/32"
    )
    return Prototype(ec2, subnet, group)


def _greets(address):
    try:
        with socket.create_connection((address, 22), 0.2) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False
