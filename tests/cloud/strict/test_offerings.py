from tests.cloud.strict.proof import needs


@needs("offerings")
def test_every_region_offers_types(strict_ec2):
    for region in ("cn-northwest-1", "us-gov-west-1"):
        found = strict_ec2.client(region=region).describe_instance_type_offerings(
            LocationType="availability-zone",
            Filters=[{"Name": "instance-type", "Values": ["m5.large"]}],
        )["InstanceTypeOfferings"]
        assert {one["Location"] for one in found} >= {f"{region}a", f"{region}b"}
