"""One master with a whitelist group the way it is first written: look up, make, tag, wait, look."""

import sys

import boto3

endpoint, subnet, image = sys.argv[1:]
RULES = ("203.0.113.7/32", "198.51.100.0/24")


def client():
    return boto3.client(
        "ec2",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="naive",
        aws_secret_access_key="naive",
    )


ec2 = client()
vpc = ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0]["VpcId"]
ec2.describe_images(ImageIds=[image])
named = [{"Name": "group-name", "Values": ["naive"]}]
if not ec2.describe_security_groups(Filters=named)["SecurityGroups"]:
    group = ec2.create_security_group(GroupName="naive", Description="x", VpcId=vpc)["GroupId"]
ec2.create_tags(Resources=[group], Tags=[{"Key": "milvus-name", "Value": "naive"}])
for cidr in RULES:
    ec2.authorize_security_group_ingress(
        GroupId=group, IpProtocol="tcp", FromPort=19530, ToPort=19530, CidrIp=cidr
    )
ec2.describe_security_groups(GroupIds=[group])
made = ec2.run_instances(
    ImageId=image,
    InstanceType="m5.xlarge",
    MinCount=1,
    MaxCount=1,
    SubnetId=subnet,
    SecurityGroupIds=[group],
)
node = made["Instances"][0]["InstanceId"]
tags = [{"Key": "milvus-name", "Value": "naive"}, {"Key": "node-type", "Value": "master"}]
ec2.create_tags(Resources=[node], Tags=tags)
ec2.get_waiter("instance_exists").wait(InstanceIds=[node])
seen = ec2.describe_instances(InstanceIds=[node])["Reservations"][0]["Instances"][0]
volumes = [one["Ebs"]["VolumeId"] for one in seen["BlockDeviceMappings"]]
ec2.create_tags(Resources=volumes, Tags=tags)
address = ec2.allocate_address(Domain="vpc")["AllocationId"]
ec2.create_tags(Resources=[address], Tags=tags)
ec2.describe_instances(InstanceIds=[node])
