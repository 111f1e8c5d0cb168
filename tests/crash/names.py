"""Names of crash points that are put together at run time, spelled out from what they are made of.

EC2's actions come from the permissions of deploy/iam-policy.json, gRPC's methods from the protos;
who uses which is read in the code. What changes nothing (Describe…, NO_SIDE_EFFECTS) is left out:
a death there differs in nothing from one before it. The `kite` command is not a service: whoever
ran it sees it die and runs it again, and the services' side of its calls is among these names.
"""

import ast
import json
from collections import defaultdict
from pathlib import Path

from google.protobuf.descriptor_pb2 import MethodOptions

from kite.sweep import Kind
from kite.v1 import (
    adoption_pb2,
    controller_pb2,
    operation_pb2,
    provisioner_pb2,
    registry_pb2,
    sweep_pb2,
    whitelist_pb2,
)

ROOT = Path(__file__).parents[2]
FOLDERS = {
    "registry": "registry_svc",
    "provisioner": "provisioner",
    "whitelist": "whitelist_svc",
    "bff": "bff",
}
PREFIXES = {
    "kite/rpc/client.py": {"after-answer-"},
    "kite/rpc/interceptors.py": {"before-reply-"},
    "kite/sweeping.py": {"before-sweep-", "after-sweep-"},
    "provisioner/ec2/client.py": {"before-", "after-"},
    "whitelist_svc/session.py": {"after-"},
}
"""Where names are put together; `expanded` knows these and no others."""
NEVER_CALLED = {"CreateTags"}
"""Permissions without a call: tags are given in the call that makes the thing."""
SIDES = ("before", "after")
SWEPT = {
    "provisioner": (Kind.INSTANCE, Kind.VOLUME, Kind.ADDRESS),
    "whitelist": (Kind.GROUP,),
}
"""What each service's sweep removes."""
PROTOS = (
    *(adoption_pb2, controller_pb2, operation_pb2, provisioner_pb2),
    *(registry_pb2, sweep_pb2, whitelist_pb2),
)


def expanded():
    """Every name of a place at something that changes the world, by service."""
    actions, methods = writing_actions() - NEVER_CALLED, writing_methods()
    found = defaultdict(set)
    for service, folder in FOLDERS.items():
        trees = [ast.parse(file.read_text()) for file in files(folder)]
        for method in called(trees, set().union(*methods.values())):
            found[service].add(f"after-answer-{method}")
        for served in names(trees, {f"add_{name}Servicer_to_server": name for name in methods}):
            found[service] |= {f"before-reply-{method}" for method in methods[served]}
        if service == "provisioner":
            used = names(trees, {action: action for action in actions})
            found[service] |= {f"{side}-{action}" for action in used for side in SIDES}
        if service == "whitelist":
            used = names(trees, {snake(action): action for action in actions})
            found[service] |= {f"after-{action}" for action in used}
    for service, kinds in SWEPT.items():
        found[service] |= {f"{side}-sweep-{kind}" for kind in kinds for side in SIDES}
    return dict(found)


def files(folder):
    """The modules of a service, and those of kite/rpc that it takes in to call for it."""
    own = sorted((ROOT / folder).rglob("*.py"))
    text = "".join(file.read_text() for file in own)
    shared = (ROOT / "kite" / "rpc").glob("*.py")
    return [*own, *(file for file in shared if f"kite.rpc.{file.stem} import" in text)]


def writing_actions():
    policy = json.loads((ROOT / "deploy" / "iam-policy.json").read_text())
    every = set()
    for statement in policy["Statement"]:
        action = statement["Action"]
        every |= {action} if isinstance(action, str) else set(action)
    return {name.removeprefix("ec2:") for name in every if ":Describe" not in name}


def writing_methods():
    """Methods that change something, by gRPC service."""
    return {
        name: {
            method.name
            for method in service.methods
            if method.GetOptions().idempotency_level != MethodOptions.NO_SIDE_EFFECTS
        }
        for proto in PROTOS
        for name, service in proto.DESCRIPTOR.services_by_name.items()
    }


def called(trees, methods):
    """Those of the methods that are awaited on something: `await stub.Claim(…)`."""
    for tree in trees:
        for node in ast.walk(tree):
            match node:
                case ast.Await(value=ast.Call(func=ast.Attribute(attr=name))) if name in methods:
                    yield name


def names(trees, wanted):
    """What stands for the strings and attributes that occur."""
    for tree in trees:
        for node in ast.walk(tree):
            match node:
                case ast.Constant(value=str(text)) | ast.Attribute(attr=text) if text in wanted:
                    yield wanted[text]


def snake(action):
    """`CreateSecurityGroup` → `create_security_group`, as boto3 and so the code calls it."""
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in action).lstrip("_")


def places(file):
    """The words of a module's crash points; those that end in "-" are beginnings of names."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "crash.point":
            for value in ast.walk(node.args[0]):
                if isinstance(value, ast.Constant) and isinstance(value.value, str):
                    yield value.value
