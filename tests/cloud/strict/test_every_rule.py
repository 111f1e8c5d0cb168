import re
from pathlib import Path

from localcloud.strict.chain import every_rule

NEEDS = re.compile(r'@needs\("([^"]+)"\)')


def test_every_rule_has_a_name_a_reason_and_a_document():
    rules = every_rule()
    assert len({rule.name for rule in rules}) == len(rules)
    for rule in rules:
        assert rule.__doc__, rule.name
        assert rule.document.startswith("https://docs.aws.amazon.com/"), rule.name


def test_every_rule_has_a_test_that_fails_without_it():
    tests = Path(__file__).parent.glob("test_*.py")
    proven = {name for file in tests for name in NEEDS.findall(file.read_text())}
    assert {rule.name for rule in every_rule()} == proven


def test_an_unknown_rule_cannot_be_switched(strict_ec2):
    before = strict_ec2.api.chain.names
    try:
        with strict_ec2.api.chain.without("no-such-rule"):
            raise AssertionError("it was taken")
    except KeyError:
        assert strict_ec2.api.chain.names == before
    strict_ec2.client().describe_instances()
