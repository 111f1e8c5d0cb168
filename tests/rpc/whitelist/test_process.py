"""`python -m whitelist_svc` as a process: ready line, graceful end, honest refusals."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc


def start(**settings):
    environ = {
        **{k: v for k, v in os.environ.items() if not k.startswith("KITE_")},
        "AWS_ACCESS_KEY_ID": "kite",
        "AWS_SECRET_ACCESS_KEY": "kite",
        "KITE_ENV_FILE": os.devnull,
        "KITE_EC2_ENDPOINT": "http://127.0.0.1:9",
        "KITE_REGISTRY": "127.0.0.1:9",
        "KITE_WHITELIST_LISTEN": "127.0.0.1:0",
        "KITE_LOG_FORMAT": "json",
        **settings,
    }
    return subprocess.Popen(
        [sys.executable, "-m", "whitelist_svc"],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ready(process):
    for line in process.stdout:
        told = json.loads(line)
        if told["event"] == "ready":
            return told["port"]
    raise AssertionError(process.stderr.read())


def ended(process):
    """(exit code, standard error) of a process that ends by itself."""
    _, stderr = process.communicate(timeout=20)
    return process.returncode, stderr


def test_it_serves_until_it_is_told_to_stop():
    process = start(KITE_WHITELIST_CONTROL_CIDRS="10.88.0.0/16, 198.18.88.0/24")
    try:
        with grpc.insecure_channel(f"127.0.0.1:{ready(process)}") as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            request = health_pb2.HealthCheckRequest(service="kite.v1.WhitelistService")
            answer = stub.Check(request, timeout=10)
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
        process.terminate()
        assert ended(process) == (0, "")
    finally:
        process.kill()


@pytest.mark.parametrize("ranges", ["", "10.88.0.0/16"])
def test_hosts_that_nobody_could_reach_are_told_at_start(ranges):
    process = start(KITE_WHITELIST_CONTROL_CIDRS=ranges)
    try:
        first = json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.communicate(timeout=20)
    assert (first["level"] == "warning") is not bool(ranges)
    assert first["event"].startswith("KITE_WHITELIST_CONTROL_CIDRS: empty") is not bool(ranges)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KITE_WHITELIST_LISTEN", "50053"),
        ("KITE_REGISTRY", "localhost"),
        ("KITE_WHITELIST_CONTROL_CIDRS", "0.0.0.0/0"),
        ("KITE_WHITELIST_TYPO", "1"),
    ],
)
def test_settings_that_cannot_be_used_are_named(name, value):
    code, said = ended(start(**{name: value}))
    assert code == 1
    assert name in said
    assert "Traceback" not in said


def test_a_taken_port_is_a_sentence():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        code, said = ended(start(KITE_WHITELIST_LISTEN=address))
    assert code == 1
    assert f"cannot listen on {address}" in said
    assert "Traceback" not in said
