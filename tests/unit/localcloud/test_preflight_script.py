"""What a machine lacks is said by the script that runs before anything is installed."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
FIT = {
    "uname": "case $1 in -s) echo Linux ;; -m) echo x86_64 ;; esac",
    "id": "echo 0",
    "unshare": "exit 0",
    "df": 'printf "h\\nfs 0 0 20000000 0 /\\n"',
    "python3": "exit 0",
    "apt-get": "exit 9",
}
NO_PYTHON = dict.fromkeys(("python3", "python3.11", "python3.12", "python3.13"), "exit 1")


@pytest.fixture
def checkout(tmp_path):
    """The script alone, in a folder without a virtual environment, on a machine without a demo."""
    (tmp_path / "deploy").mkdir()
    script = tmp_path / "deploy/preflight.sh"
    script.write_bytes((ROOT / "deploy/preflight.sh").read_bytes())
    script.chmod(0o755)
    return script


def said(script, tools):
    folder = script.parent / "bin"
    folder.mkdir()
    for name, text in ({"../tenant.sh": "exit 0"} | FIT | tools).items():
        if text is not None:
            (folder / name).write_text(f"#!/bin/sh\n{text}\n")
            (folder / name).chmod(0o755)
    for name in ("bash", "awk", "dirname", "env"):
        (folder / name).symlink_to(
            next(p for d in os.get_exec_path() if (p := Path(d, name)).exists())
        )
    done = subprocess.run(
        [script], env={"PATH": str(folder)}, capture_output=True, text=True, check=False, timeout=20
    )
    assert done.stdout == ""
    return done.returncode, done.stderr.splitlines()


def test_a_fit_machine_hears_nothing(checkout):
    assert said(checkout, {}) == (0, [])


@pytest.mark.parametrize(
    ("tools", "words"),
    [
        ({"uname": "echo Darwin"}, "needs Linux (this is Darwin)"),
        (
            {"uname": "[ $1 = -s ] && echo Linux || echo aarch64"},
            "x86-64 machine (this is aarch64)",
        ),
        ({"id": "echo 1000"}, "sudo make demo"),
        ({"unshare": "exit 1"}, "does not let root make namespaces"),
        (NO_PYTHON, "apt-get install python3"),
        ({"df": 'printf "h\\nfs 0 0 2097152 0 /\\n"'}, "has 2 GiB free and 6 GiB are needed"),
    ],
)
def test_each_trouble_is_one_sentence(checkout, tools, words):
    code, sentences = said(checkout, tools)
    assert (code, len(sentences)) == (1, 1)
    assert words in sentences[0]
    assert sentences[0].endswith((".", "make demo"))


def test_all_troubles_are_said_at_once(checkout):
    code, sentences = said(checkout, {"id": "echo 1000", **NO_PYTHON})
    assert (code, len(sentences)) == (1, 2)


def test_a_machine_without_debian_packages_hears_what_to_install_by_hand(checkout):
    code, sentences = said(checkout, {"apt-get": None})
    assert code == 1
    assert [line.split()[0] for line in sentences] == ["ip", "nft", "mmdebstrap", "mkfs.xfs", "ssh"]


def test_a_running_demo_is_all_that_is_said(checkout):
    sentence = "A local cloud already runs"
    tenant = f'echo "{sentence}" >&2; exit 1'
    assert said(checkout, {"../tenant.sh": tenant, "id": "echo 1000"}) == (1, [sentence])
