"""The strict EC2 as a process of its own: `python -m tests.chaos.ec2`.

One JSON line on standard output tells when it answers and where; it ends with SIGTERM.
"""

import json
import signal
import sys
import threading
import time
from ipaddress import IPv4Network

from localcloud.strict.inproc import client
from localcloud.strict.knobs import Knobs
from localcloud.strict.server import Ec2Api

POOL = IPv4Network("198.18.80.0/22")
KNOBS = Knobs(
    pending_seconds=0.1,
    shutting_down_seconds=0.1,
    address_quota=1_000,
    terminated_visible_seconds=30,
)


def lay(api):
    """A network with two zones and a way out, and an image."""
    ec2 = client(api.endpoint)
    vpc = ec2.create_vpc(CidrBlock="10.81.0.0/16")["Vpc"]["VpcId"]
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.81.{n}.0/20", AvailabilityZone=zone)["Subnet"]
        for n, zone in ((0, "us-east-1a"), (16, "us-east-1b"))
    ]
    return {
        "endpoint": api.endpoint,
        "plain": api.internal_endpoint,
        "region": "us-east-1",
        "gateway": "10.81.0.1",
        "image_id": ec2.describe_images()["Images"][0]["ImageId"],
        "subnet_id": ",".join(s["SubnetId"] for s in subnets),
    }


def main(clock=time.time):
    """`clock` is that of this EC2: what it lets ripen, and the date of its answers."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    api = Ec2Api(listen=[("127.0.0.1", 0)], public_pool=POOL, knobs=KNOBS, clock=clock)
    api.start()
    try:
        sys.stdout.write(json.dumps(lay(api)) + "\n")
        sys.stdout.flush()
        stop.wait()
    finally:
        api.stop()


if __name__ == "__main__":
    main()
