"""The inventory of a job. Pure: job in, YAML text out, or BadJob.

Only ids and checked values get in, never a user's text; and the whole is marked `!unsafe`, so that
Ansible takes every string literally even if it looks like a template.
"""

import ipaddress
import re
from collections.abc import Mapping

from provisioner.install.job import InstallHost, InstallJob, InstallSettings, Method

Value = str | int | bool
Tree = Mapping[str, "Value | Tree"]

TOKEN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
INSTANCE = re.compile(r"i-[0-9a-f]{8,17}")
VARIABLE = re.compile(r"(node_base|disk|milvus|node_exporter)(_[a-z0-9]+)+")
HOST_KEY = re.compile(r"(ssh-ed25519|ecdsa-sha2-nistp256|ssh-rsa) [A-Za-z0-9+/]{40,800}={0,2}")
USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
TEXT = re.compile(r"[ -~]{0,512}")
PORT_LIMIT = 65536
SSH_PORT = 22

ROLES = ("master", "worker")
"""The groups of the inventory, and the only roles a host may have."""


class BadJob(Exception):
    """The job cannot be put into an inventory safely; the sentence says which value and why."""


def check(job: InstallJob, settings: InstallSettings) -> None:
    """Refuse a job whose values are not what they claim to be. Raises BadJob."""
    if not job.hosts:
        raise BadJob("the job has no hosts")
    tokens = [host.token for host in job.hosts]
    if len(set(tokens)) != len(tokens):
        raise BadJob("two hosts of the job have the same token")
    for host in job.hosts:
        _check_host(host)
    for name, value in job.variables.items():
        _match("variable name", VARIABLE, name)
        if isinstance(value, str):
            _match(f"value of {name}", TEXT, value)
    for name in job.secrets:
        _match("secret name", VARIABLE, name)
    _match("ssh_user", USER, settings.ssh_user)
    if not 0 < settings.ssh_port < PORT_LIMIT:
        raise BadJob(f"ssh_port {settings.ssh_port} is not a port")


def _check_host(host: InstallHost) -> None:
    _match("token", TOKEN, host.token)
    _match("instance id", INSTANCE, host.instance_id)
    _match("host key", HOST_KEY, host.host_key)
    if host.role not in ROLES:
        raise BadJob(f"role {host.role!r} is not one of {', '.join(ROLES)}")
    try:
        ipaddress.ip_address(host.address)
    except ValueError as error:
        raise BadJob(f"address {host.address!r} is not an IP address") from error


def _match(what: str, pattern: re.Pattern[str], value: str) -> None:
    if pattern.fullmatch(value) is None:
        raise BadJob(f"{what} {value[:64]!r} is not of the form {pattern.pattern}")


def method_variables(settings: InstallSettings) -> dict[str, Value]:
    """What the settings of this control plane mean for the role `milvus`."""
    method: dict[str, Value] = {"milvus_method": settings.method.value}
    if settings.method is not Method.WHEEL:
        return method
    return method | {
        "milvus_artifact_url": settings.artifact_url,
        "milvus_artifact_sha256": settings.artifact_sha256,
        "milvus_artifact_kind": settings.artifact_kind.value,
        "milvus_allow_insecure_wheel": settings.allow_insecure_wheel,
    }


def inventory(job: InstallJob, settings: InstallSettings, folder: str) -> Tree:
    """The inventory of a checked job whose key, known hosts and secrets lie in `folder`."""
    ssh: dict[str, Value] = {
        "ansible_user": settings.ssh_user,
        "ansible_port": settings.ssh_port,
        "ansible_ssh_private_key_file": f"{folder}/key",
        "ansible_ssh_common_args": (
            f"-o UserKnownHostsFile={folder}/known_hosts -o GlobalKnownHostsFile=/dev/null"
            " -o StrictHostKeyChecking=yes -o IdentitiesOnly=yes -o IdentityAgent=none"
            " -o PreferredAuthentications=publickey -F /dev/null"
        ),
        "seal_connect_seconds": 0,
    }
    secrets: dict[str, Value] = {f"{name}_file": f"{folder}/{name}" for name in job.secrets}
    groups: Tree = {
        role: {
            "hosts": {
                host.token: {"ansible_host": host.address, "kite_instance_id": host.instance_id}
                for host in job.hosts
                if host.role == role
            }
        }
        for role in ROLES
    }
    variables = {**method_variables(settings), **job.variables, **secrets, **ssh}
    return {"milvus": {"children": groups, "vars": variables}}


def known_hosts(job: InstallJob, settings: InstallSettings) -> str:
    """One line per host, in the form ssh looks it up."""
    port = settings.ssh_port
    names = [host.address if port == SSH_PORT else f"[{host.address}]:{port}" for host in job.hosts]
    keys = [host.host_key for host in job.hosts]
    return "".join(f"{name} {key}\n" for name, key in zip(names, keys, strict=True))


def as_yaml(tree: Tree) -> str:
    """A YAML document of which no string is ever a template to Ansible.

    The tag stands before the whole: on a single string Ansible would guess the type again and
    make a number of a checksum that has digits only.
    """
    return f"--- !unsafe\n{_block(tree, 0)}" if tree else "--- !unsafe {}\n"


def _block(tree: Tree, depth: int) -> str:
    lines = []
    for key, value in tree.items():
        start = "  " * depth + _quoted(key) + ":"
        if isinstance(value, Mapping):
            below = f"\n{_block(value, depth + 1)}" if value else " {}\n"
            lines.append(start + below)
        elif isinstance(value, str):
            lines.append(f"{start} {_quoted(value)}\n")
        else:
            lines.append(f"{start} {str(value).lower()}\n")
    return "".join(lines)


def _quoted(text: str) -> str:
    """A YAML double-quoted scalar; whatever is not plain printable ASCII is escaped."""
    plain = {'"': '\\"', "\\": "\\\\"}
    escaped = (plain.get(c, c if " " <= c <= "~" else f"\\U{ord(c):08X}") for c in text)
    return f'"{"".join(escaped)}"'
