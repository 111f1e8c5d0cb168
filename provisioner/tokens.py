"""Names of machines, known before the machines exist. Pure.

A token is the ClientToken of RunInstances, so the same slot and attempt can never make two
machines; another attempt, and only that, is another machine.
"""

import base64
import hashlib

TOKEN_LENGTH = 48


def token(install: str, cluster_id: str, slot: int, attempt: int) -> str:
    """At most 64 ASCII characters, made of ids only: no time, no chance, no user text.

    Source: Amazon EC2 API, "Ensuring idempotency in Amazon EC2 API requests".
    """
    named = f"{install}|{cluster_id}|{slot}|{attempt}".encode()
    digest = base64.b32encode(hashlib.sha256(named).digest()).decode()
    return digest[:TOKEN_LENGTH].lower()


def proves(client_token: str, install: str, cluster_id: str, slot: int, attempt: int) -> bool:
    """Whether a machine that names this launch in its tags was made by it.

    Tags can be copied ("launch more like this" does) and edited. The ClientToken is set by whoever
    launches, and nobody can change it afterwards.
    """
    return bool(client_token) and client_token == token(install, cluster_id, slot, attempt)


def login_key_name(install: str) -> str:
    """Name of the SSH key all machines of an install are logged into with; EC2 does not know it."""
    return f"kite-{install}"
