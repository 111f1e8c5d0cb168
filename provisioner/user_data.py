"""What a machine is told at birth: its SSH host key, and the key that may log in. Pure.

Both are planted through user data: so the machine is known when it is met, and EC2 needs no key
pair of ours, which would be a thing more to make, to look for and to drop.

The text is derived from install, secret and the machine's token and never stored; its hash is
frozen in the launch intent, because EC2 refuses a repeated token with other user data.
"""

import hashlib

from kite.secrets import SshKey, ssh_key


def host_key(secret: str, token: str) -> str:
    """The public host key that the machine of `token` will show, "ssh-ed25519 AAAA…"."""
    return ssh_key(secret, "host", token).public


def login_key(secret: str, install: str) -> SshKey:
    """The key that the install logs in with, on all of its machines."""
    return ssh_key(secret, "login", install)


def user_data(secret: str, install: str, token: str) -> str:
    """`#cloud-config` that plants both keys.

    Source: cloud-init documentation, module cc_ssh: `ssh_keys` are the host's own;
    `ssh_authorized_keys` are added to the image's default user.
    """
    key = ssh_key(secret, "host", token)
    private = "".join(f"    {line}\n" for line in key.private.decode().splitlines())
    return (
        "#cloud-config\n"
        "ssh_deletekeys: true\n"
        "ssh_keys:\n"
        f"  ed25519_private: |\n{private}"
        f"  ed25519_public: {key.public}\n"
        "ssh_authorized_keys:\n"
        f"  - {login_key(secret, install).public}\n"
    )


def user_data_hash(secret: str, install: str, token: str) -> str:
    """SHA-256 of the user data, hexadecimal."""
    return digest(user_data(secret, install, token))


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
