"""Both services' EC2 clients are made of the same words, and botocore takes them as they are."""

import pytest
from botocore.config import Config

from kite import ec2_client
from provisioner.ec2 import client
from whitelist_svc import session

MADE = {
    "provisioner": lambda: client.build("eu-west-1", "http://127.0.0.1:1"),
    "whitelist": lambda: session._build("eu-west-1", "http://127.0.0.1:1"),
}


@pytest.mark.parametrize(("action", "method"), [
    ("RunInstances", "run_instances"),
    ("DescribeNetworkInterfaces", "describe_network_interfaces"),
    ("CreateSecurityGroup", "create_security_group"),
])  # fmt: skip
def test_methods_are_named_as_actions_and_back(action, method):
    assert ec2_client.method(action) == method
    assert ec2_client.action(method) == action


def test_a_buckets_word_is_no_part_of_a_method():
    assert ec2_client.method("DescribeInstances:ids") == "describe_instances"


def test_a_call_is_tried_once_and_ends_before_a_lease_does():
    config = Config(**ec2_client.config(threads=3))
    assert config.retries == {"mode": "standard", "total_max_attempts": 1}
    assert (config.connect_timeout, config.read_timeout) == (2, 10)
    assert config.max_pool_connections == 3
    assert config.user_agent_extra.startswith("kite/")


def test_no_endpoint_is_aws_itself():
    assert ec2_client.place("eu-west-1", "") == {"region_name": "eu-west-1", "endpoint_url": None}


@pytest.mark.parametrize("service", MADE)
def test_each_service_makes_its_client_of_them(service, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "kite")
    made = MADE[service]()
    wanted = ec2_client.config(threads=made.meta.config.max_pool_connections)
    assert {name: getattr(made.meta.config, name) for name in wanted} == wanted
    assert (made.meta.region_name, made.meta.endpoint_url) == ("eu-west-1", "http://127.0.0.1:1")
    made.close()
