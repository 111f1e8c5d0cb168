"""The EC2 actions named in the adapters' code, found by EC2's own list of operations."""

import ast
import re
from functools import cache

import botocore.session

from tests.house import tree

ADAPTERS = ("provisioner/", "whitelist_svc/")
LIMITS = ("kite/buckets.py",)  # request limits by action; calls nothing


@cache
def operations():
    """Operation by any spelling that code can use: RunInstances and run_instances."""
    model = botocore.session.get_session().get_service_model("ec2")
    names = model.operation_names
    snake = {re.sub(r"(?<!^)(?=[A-Z])", "_", one).lower(): one for one in names}
    return {one: one for one in names} | snake


def words(name):
    """String constants (without docstrings) and called attributes of a file."""
    for node in ast.walk(tree.syntax(name)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value.partition(":")[0]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield node.func.attr


def named():
    """Action to the files that name it."""
    found = {}
    for name in tree.written(".py"):
        if name.startswith(ADAPTERS) and name not in LIMITS:
            for word in words(name):
                if word in operations():
                    found.setdefault(operations()[word], set()).add(name)
    return found
