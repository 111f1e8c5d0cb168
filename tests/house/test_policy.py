"""The IAM policy grants what the code calls: nothing less, nothing more."""

import json

from tests.house import actions, tree

# Tags in a creating call need this permission too (EC2 user guide, "Grant permission to tag
# resources during creation"), though the action itself is never called.
NEVER_CALLED = {"CreateTags"}


def statements():
    return json.loads(tree.text("deploy/iam-policy.json"))["Statement"]


def granted(one):
    found = one["Action"]
    return [found] if isinstance(found, str) else found


def policy():
    return {action.removeprefix("ec2:") for one in statements() for action in granted(one)}


def test_the_policy_grants_exactly_the_actions_in_the_code():
    assert policy() - NEVER_CALLED == set(actions.named())


def test_no_wildcards_and_no_doubles():
    every = [action for one in statements() for action in granted(one)]
    assert not [action for action in every if "*" in action]
    assert len(every) == len(set(every))
    assert all(granted(one) == sorted(granted(one)) for one in statements())


def test_tags_are_set_at_creation_only():
    (tagging,) = [one for one in statements() if "ec2:CreateTags" in granted(one)]
    making = next(one for one in statements() if one["Sid"] == "Make")
    create = tagging["Condition"]["StringEquals"]["ec2:CreateAction"]
    assert {f"ec2:{one}" for one in create} == set(granted(making))


def test_what_destroys_is_bound_to_our_tag():
    for one in statements():
        verbs = {action.removeprefix("ec2:") for action in granted(one)}
        if any(v.startswith(("Delete", "Terminate", "Release", "Revoke", "Modify")) for v in verbs):
            assert one["Condition"] == {"Null": {"aws:ResourceTag/kite:install": "false"}}
