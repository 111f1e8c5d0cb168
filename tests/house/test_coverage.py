"""Every line and branch of every pure module is run by the pure tests.

Only these modules are traced, by the unit tests alone: what the simulator finds must not stand for
what a table says.
"""

import json
import os
import subprocess
import sys
import tomllib

import pytest

from tests.house import tree

SECONDS = 800
RULES = "[run]\nbranch = true\ninclude =\n    {files}\n[report]\nexclude_also =\n    {left_out}\n"


TOOLS = tomllib.loads(tree.text("pyproject.toml"))["tool"]


def pure():
    """Files of the modules held to be pure in pyproject.toml."""
    contracts = TOOLS["importlinter"]["contracts"]
    (contract,) = [one for one in contracts if "Pure modules" in one["name"]]
    return [f"{module.replace('.', '/')}.py" for module in contract["source_modules"]]


@pytest.mark.timeout(SECONDS + 60)
def test_pure_modules_are_covered_whole(tmp_path):
    report, rules = tmp_path / "coverage.json", tmp_path / "rules"
    left_out = TOOLS["coverage"]["report"]["exclude_also"]
    rules.write_text(RULES.format(files="\n    ".join(pure()), left_out="\n    ".join(left_out)))
    pytest_words = ("-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:cacheprovider")
    done = coverage(rules, "run", *pytest_words, "tests/unit")
    coverage(rules, "json", "-o", report)
    assert report.exists(), done.stdout[-3000:] + done.stderr[-3000:]
    files = json.loads(report.read_text())["files"]
    holes = {name: hole(files[name]) for name in pure() if hole(files[name])}
    assert holes == {}


def coverage(rules, *words):
    return subprocess.run(
        [sys.executable, "-m", "coverage", words[0], f"--rcfile={rules}", *words[1:]],
        cwd=tree.ROOT,
        env={**os.environ, "COVERAGE_FILE": str(rules.with_name("data"))},
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )


def hole(file):
    """Lines never run and branches never taken."""
    return [*file["missing_lines"], *map(tuple, file["missing_branches"])]
