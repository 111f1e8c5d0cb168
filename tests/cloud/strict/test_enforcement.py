"""Whoever enforces rules hears of a change before the change is answered."""


def test_a_changed_rule_is_enforced_before_the_answer(strict_ec2):
    heard = []
    strict_ec2.api.enforce_with(lambda: heard.append("now"))
    try:
        ec2 = strict_ec2.client()
        vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        group = ec2.create_security_group(GroupName="g", Description="g", VpcId=vpc)["GroupId"]
        assert heard == []
        rule = {
            "IpProtocol": "tcp",
            "FromPort": 19530,
            "ToPort": 19530,
            "IpRanges": [{"CidrIp": "203.0.113.7/32"}],
        }
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])
        assert heard == ["now"]
        ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[rule])
        assert heard == ["now", "now"]
        ec2.describe_security_groups()
        assert heard == ["now", "now"]
    finally:
        strict_ec2.api.enforce_with(lambda: None)
