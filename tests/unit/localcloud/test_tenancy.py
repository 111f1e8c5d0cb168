"""Who holds the machine is said in the same words with and without a virtual environment."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from localcloud.ground import Ground
from localcloud.tenancy import Tenant, began, sentence

SCRIPT = Path(__file__).parents[3] / "deploy" / "tenant.sh"


def said(record):
    done = subprocess.run([SCRIPT, record], capture_output=True, text=True, check=False, timeout=20)
    assert done.stdout == ""
    return done.returncode, done.stderr


@pytest.fixture
def record(tmp_path):
    def write(**changes):
        pid = os.getpid()
        whole = {"pid": pid, "began": began(pid), "state": "/a folder/.run/cloud"} | changes
        path = tmp_path / "tenant.json"
        path.write_text(json.dumps(whole))
        return path, Tenant(**whole)

    return write


@pytest.mark.parametrize(
    ("state", "how"),
    [("/a folder/.run/cloud", "`make stop` in /a folder"), ("/x", "`python -m localcloud stop`")],
)
def test_a_running_one_is_named_with_the_way_to_stop_it(record, state, how):
    path, tenant = record(state=state)
    assert said(path) == (1, f"{sentence(tenant)}\n")
    assert sentence(tenant).endswith(
        f"(process {os.getpid()}, state in {state}); stop it with {how}."
    )


def test_one_that_is_gone_is_no_matter(record, tmp_path):
    assert said(tmp_path / "nothing") == (0, "")
    assert said(record(pid=4194304)[0]) == (0, "")
    assert said(record(began=1)[0]) == (0, "")  # its number was given to another process


def test_the_script_looks_where_the_demo_stands():
    assert str(Ground().run) in SCRIPT.read_text()


def test_a_holder_that_left_no_record_is_still_told_of():
    assert "already runs" in sentence(None)
