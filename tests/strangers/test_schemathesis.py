"""schemathesis, which knows only openapi.yaml: no answer it gets is a 5xx or unlike the contract.

Some 2,000 requests; KITE_TEST_SCHEMA_EXAMPLES=50 KITE_TEST_SCHEMA_SECONDS=600 looks longer.
"""

import asyncio
import os
from pathlib import Path

import pytest

from tests.worlds.joined import joined
from tests.worlds.no_machines import no_machines

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / ".strangers" / "bin" / "schemathesis"
EXAMPLES = int(os.environ.get("KITE_TEST_SCHEMA_EXAMPLES", "3"))
SECONDS = int(os.environ.get("KITE_TEST_SCHEMA_SECONDS", "30"))

pytestmark = [
    pytest.mark.skipif(not PROGRAM.exists(), reason="no schemathesis (make setup installs it)"),
    pytest.mark.timeout(SECONDS + 120),
]


@pytest.fixture
def ec2(one_ec2, monkeypatch):
    api, _ = one_ec2
    api.reset()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "kite")
    return api.endpoint


async def run(port: int, *words: str) -> tuple[int, str]:
    started = await asyncio.create_subprocess_exec(
        PROGRAM,
        "--config-file",
        Path(__file__).with_name("schemathesis.toml"),
        "run",
        f"http://127.0.0.1:{port}/openapi.json",
        "--no-color",
        *words,
        cwd=ROOT / ".strangers",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    told, _ = await started.communicate()
    return started.returncode, told.decode()


async def test_every_answer_is_as_the_contract_says(tmp_path, ec2):
    limits = {
        "bff_rate_per_minute": 1_000_000,
        "bff_endpoints_per_minute": 1_000_000,
        "bff_hold_seconds": 1,
        "bff_admins": "alice",
    }
    async with (
        joined(tmp_path, ec2, clusters_per_user=20, **limits) as served,
        no_machines(served.registry),
    ):
        code, told = await run(
            served.port,
            "--header=username: alice",
            f"--max-examples={EXAMPLES}",
            f"--max-time={SECONDS}",
        )
    assert code == 0, told[-12_000:]
    assert "23 selected" in told
