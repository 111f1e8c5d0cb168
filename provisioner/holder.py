"""The name under which this process holds leases: the same again after a restart on this spot.

An address can be bound once in a network namespace, and the port is open before the first claim.
So whoever held leases under this name is dead, and they can be taken back at once. Where that
cannot be known (a port chosen by chance, no /proc) the name is one nobody had before.
"""

import os
import secrets
import socket
from pathlib import Path

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_NETWORK = Path("/proc/self/ns/net")
LONGEST_PART = 60


def holder_name(install: str, listen: str) -> str:
    """At most 200 characters (registry's limit)."""
    host = socket.gethostname()[:LONGEST_PART]
    port = listen.rpartition(":")[2]
    try:
        spot = f"{_BOOT.read_text('ascii').strip()[:8]}-{_number(str(_NETWORK.readlink()))}"
    except OSError:
        spot = ""
    if not spot or port == "0":
        return f"{install}@{host}/{os.getpid()}-{secrets.token_hex(6)}"
    return f"{install}@{host}/{spot}/{listen[-LONGEST_PART:]}"


def _number(link: str) -> str:
    """`net:[4026531840]` → `4026531840`."""
    return "".join(filter(str.isdigit, link))
