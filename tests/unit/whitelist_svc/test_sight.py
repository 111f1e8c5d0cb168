import pytest

from whitelist_svc import sight
from whitelist_svc.change import Key


def rule(**more):
    base = {
        "SecurityGroupRuleId": "sgr-1",
        "IpProtocol": "tcp",
        "FromPort": 19530,
        "ToPort": 19530,
        "CidrIpv4": "1.2.3.4/32",
    }
    return sight.rule({**base, **more})


def test_a_rule_of_ours():
    found = rule(Description="kite:milvus-port")
    assert found.key == Key("1.2.3.4/32", 19530)
    assert (found.rule_id, found.ours, found.v4, found.v6) == ("sgr-1", True, True, False)
    assert found.text == "1.2.3.4/32 tcp 19530"


@pytest.mark.parametrize("text", ["", "by ann", "Kite:x"])
def test_a_rule_made_by_hand(text):
    found = rule(Description=text, CidrIpv4="", CidrIpv6="2001:DB8::/48")
    assert found.key == Key("2001:db8::/48", 19530)
    assert (found.ours, found.v4, found.v6) == (False, False, True)


@pytest.mark.parametrize(
    "changed",
    [
        {"IpProtocol": "udp"},
        {"IpProtocol": "-1", "FromPort": -1, "ToPort": -1},
        {"ToPort": 19531},
        {"FromPort": 0, "ToPort": 0},
        {"CidrIpv4": "", "ReferencedGroupInfo": {"GroupId": "sg-1"}},
        {"CidrIpv4": "", "PrefixListId": "pl-1"},
        {"FromPort": None, "ToPort": None},
    ],
)
def test_rules_kite_never_makes_have_no_key(changed):
    assert rule(**changed).key is None


def test_groups_and_lists_count_towards_both_limits():
    found = rule(CidrIpv4="", PrefixListId="pl-1", ToPort=19532)
    assert (found.v4, found.v6) == (True, True)
    assert found.text == "pl-1 tcp 19530-19532"


def test_a_group_with_its_rules():
    found = sight.group(
        {
            "GroupId": "sg-1",
            "GroupName": "kite-c",
            "VpcId": "vpc-1",
            "Tags": [{"Key": "kite:install", "Value": "t"}, {"Key": "kite:cluster", "Value": "c"}],
            "IpPermissions": [
                {
                    "IpProtocol": "tcp",
                    "FromPort": 19530,
                    "ToPort": 19530,
                    "IpRanges": [{"CidrIp": "1.2.3.4/32", "Description": "kite:milvus-port"}],
                    "Ipv6Ranges": [{"CidrIpv6": "2001:db8::/48"}],
                    "UserIdGroupPairs": [{"GroupId": "sg-2"}],
                    "PrefixListIds": [{"PrefixListId": "pl-1"}],
                },
                {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": "sg-1"}]},
            ],
        }
    )
    assert (found.owner.install, found.owner.cluster_id) == ("t", "c")
    assert [one.text for one in found.rules] == [
        "1.2.3.4/32 tcp 19530",
        "2001:db8::/48 tcp 19530",
        "sg-2 tcp 19530",
        "pl-1 tcp 19530",
        "sg-1 all traffic",
    ]
    assert [one.ours for one in found.rules] == [True, False, False, False, False]


def test_a_bare_group():
    found = sight.group({"GroupId": "sg-1", "GroupName": "default"})
    assert (found.tags, found.rules, found.vpc_id) == ({}, (), "")


def test_interfaces_in_words():
    assert sight.interface({"NetworkInterfaceId": "eni-1"}) == "eni-1"
    attached = {"NetworkInterfaceId": "eni-1", "Attachment": {"InstanceId": "i-1"}}
    assert sight.interface(attached) == "eni-1 of i-1"
