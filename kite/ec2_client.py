"""How the EC2 client of a service is made: the same words for every service that asks EC2.

Each call is tried once: whoever calls is a loop that looks again and asks again under the same
names. A try inside the call would only hide the wait from the lease that runs meanwhile. The
kernel knows no cloud: these are the arguments, the service hands them to its own boto3.
"""

import re
from typing import Any

from kite import __version__

CONNECT_SECONDS, READ_SECONDS = 2, 10


def config(*, threads: int) -> dict[str, Any]:
    """Arguments of botocore's Config; `threads` = calls at the same time, a connection each."""
    return {
        "connect_timeout": CONNECT_SECONDS,
        "read_timeout": READ_SECONDS,
        "max_pool_connections": threads,
        "retries": {"mode": "standard", "total_max_attempts": 1},
        "user_agent_extra": f"kite/{__version__}",
    }


def place(region: str, endpoint: str) -> dict[str, Any]:
    """Arguments of `Session.client("ec2", …)`; an empty endpoint is AWS itself."""
    return {"region_name": region, "endpoint_url": endpoint or None}


def method(action: str) -> str:
    """boto3's name of EC2's action: `RunInstances` → `run_instances`; `:ids` is a bucket's word."""
    bare = action.partition(":")[0]
    return re.sub(r"(?<!^)(?=[A-Z])", "_", bare).lower()


def action(operation: str) -> str:
    """EC2's name of boto3's method: `create_security_group` → `CreateSecurityGroup`."""
    return "".join(word.capitalize() for word in operation.split("_"))
