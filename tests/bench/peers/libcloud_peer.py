"""The same job with Apache libcloud; it cannot tag volumes in the launching call."""

import sys
from urllib.parse import urlsplit

from libcloud.compute.drivers import ec2 as driver
from libcloud.compute.providers import get_driver
from libcloud.compute.types import Provider

endpoint, subnet, image = sys.argv[1:]
RULES = ("203.0.113.7/32", "198.51.100.0/24")
place = urlsplit(endpoint)
driver.NAMESPACE = driver.NAMESPACE.rstrip("/")  # as the local EC2 writes it
ec2 = get_driver(Provider.EC2)(
    "libcloud", "libcloud", host=place.hostname, port=place.port, secure=False,
    region="us-east-1", signature_version="4",
)  # fmt: skip
subnets = {one.id: one for one in ec2.ex_list_subnets()}
group = ec2.ex_create_security_group("libcloud", "x", vpc_id=subnets[subnet].extra["vpc_id"])
for cidr in RULES:
    ec2.ex_authorize_security_group_ingress(group["group_id"], 19530, 19530, cidr_ips=[cidr])
images = {one.id: one for one in ec2.list_images(ex_image_ids=[image])}
sizes = {one.id: one for one in ec2.list_sizes()}
node = ec2.create_node(
    name="libcloud", image=images[image], size=sizes["m5.xlarge"], ex_subnet=subnets[subnet],
    ex_security_group_ids=[group["group_id"]],
    ex_metadata={"milvus-name": "libcloud", "node-type": "master"},
)  # fmt: skip
ec2.ex_allocate_address(domain="vpc")
