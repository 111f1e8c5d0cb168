"""The strict EC2 inside a test process: started once on loopback, emptied between tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Network
from typing import Any

from localcloud.strict.server import Ec2Api

POOL = IPv4Network("198.18.88.0/24")
REGION = "us-east-1"


@contextmanager
def running(**options: Any) -> Iterator[Ec2Api]:
    """An Ec2Api on a free loopback port; options are those of Ec2Api."""
    api = Ec2Api(**{"listen": [("127.0.0.1", 0)], "public_pool": POOL, **options})
    api.start()
    try:
        yield api
    finally:
        api.stop()


def client(endpoint: str, *, region: str = REGION, **config: Any) -> Any:
    """A boto3 EC2 client that tries once and answers quickly; `config` is botocore's Config."""
    import boto3
    from botocore.config import Config

    settings = {"retries": {"total_max_attempts": 1}, "read_timeout": 30, **config}
    return boto3.client(
        "ec2",
        endpoint_url=endpoint,
        region_name=region,
        aws_access_key_id="kite",
        aws_secret_access_key="kite",  # noqa: S106 - moto takes any
        config=Config(**settings),
    )
