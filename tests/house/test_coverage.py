"""Every line and branch of every pure module is run by the pure tests."""

import json
import os
import subprocess
import sys
import tomllib

import pytest

from tests.house import tree

SECONDS = 800
TESTS = ("tests/unit", "tests/sim")


def pure():
    """Files of the modules held to be pure in pyproject.toml."""
    linter = tomllib.loads(tree.text("pyproject.toml"))["tool"]["importlinter"]
    (contract,) = [one for one in linter["contracts"] if "Pure modules" in one["name"]]
    return [f"{module.replace('.', '/')}.py" for module in contract["source_modules"]]


@pytest.mark.timeout(SECONDS + 60)
def test_pure_modules_are_covered_whole(tmp_path):
    report = tmp_path / "coverage.json"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:cacheprovider"),
            *(one for one in TESTS if (tree.ROOT / one).is_dir()),
            *(f"--cov={package}" for package in (*tree.SERVICES, "kite", "localcloud")),
            *("--cov-branch", f"--cov-report=json:{report}"),
        ],
        cwd=tree.ROOT,
        env={**os.environ, "COVERAGE_FILE": str(tmp_path / "data")},
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    assert report.exists(), done.stdout[-3000:] + done.stderr[-3000:]
    files = json.loads(report.read_text())["files"]
    holes = {name: hole(files[name]) for name in pure() if hole(files[name])}
    assert holes == {}


def hole(file):
    """Lines never run and branches never taken."""
    return [*file["missing_lines"], *map(tuple, file["missing_branches"])]
