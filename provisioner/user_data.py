"""What a machine is told at birth: its SSH host key, so that we know it when we meet it. Pure.

The text is derived from the install secret and the machine's token and never stored; its hash is
frozen in the launch intent, because EC2 refuses a repeated token with other user data.
"""

import hashlib

from kite.secrets import ssh_key


def host_key(secret: str, token: str) -> str:
    """The public host key that the machine of `token` will show, "ssh-ed25519 AAAA…"."""
    return ssh_key(secret, "host", token).public


def user_data(secret: str, token: str) -> str:
    """`#cloud-config` that plants the host key (cloud-init, module cc_ssh, `ssh_keys`)."""
    key = ssh_key(secret, "host", token)
    private = "".join(f"    {line}\n" for line in key.private.decode().splitlines())
    return (
        "#cloud-config\n"
        "ssh_deletekeys: true\n"
        "ssh_keys:\n"
        f"  ed25519_private: |\n{private}"
        f"  ed25519_public: {key.public}\n"
    )


def user_data_hash(secret: str, token: str) -> str:
    """SHA-256 of the user data, hexadecimal."""
    return hashlib.sha256(user_data(secret, token).encode()).hexdigest()
