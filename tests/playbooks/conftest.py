"""Playbooks are tried as people run them; modules are imported as Ansible would."""

import json
import os
import subprocess
import sys
from pathlib import Path

import ansible.module_utils
import pytest

PLAYBOOKS = Path(__file__).parents[2] / "playbooks"

# Ansible puts these two folders in its modules' reach in the same way.
ansible.module_utils.__path__.append(str(PLAYBOOKS / "plugins/module_utils"))
sys.path.insert(0, str(PLAYBOOKS / "plugins/modules"))


class Played:
    """The end of one ansible-playbook run."""

    def __init__(self, done):
        self.code, self.text = done.returncode, done.stdout + done.stderr
        lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
        self.told = [json.loads(line) for line in lines]

    def results(self, host):
        """Task name to result, for the tasks that ran on the host."""
        return {one["task"]: one["result"] for one in self.told if one.get("host") == host}

    def failed(self, host):
        """Names of the tasks that failed on the host."""
        return [o["task"] for o in self.told if o["kind"] == "failed" and o["host"] == host]

    def figures(self, host):
        return next(one for one in self.told if one["kind"] == "stats")["figures"][host]

    def changed(self, host):
        assert self.code == 0, self.text
        return self.figures(host)["changed"]


def runner(folder):
    """Run a playbook by hand, with the repository's own configuration."""

    def run(book, inventory, *more, **environment):
        file = folder / "hosts.yml"
        file.write_text(inventory if isinstance(inventory, str) else json.dumps(inventory))
        done = subprocess.run(
            [Path(sys.executable).with_name("ansible-playbook"), "-i", file, *more, book],
            cwd=PLAYBOOKS,
            env={
                **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
                "ANSIBLE_CALLBACK_PLUGINS": str(Path(__file__).parent / "callbacks"),
                "ANSIBLE_STDOUT_CALLBACK": "told",
                "ANSIBLE_CONFIG": str(PLAYBOOKS / "ansible.cfg"),
                "ANSIBLE_HOME": str(folder / "ansible"),
                "LANG": "C.UTF-8",
                **environment,
            },
            text=True,
            capture_output=True,
            check=False,
            timeout=240,
        )
        return Played(done)

    return run


@pytest.fixture
def play(tmp_path):
    return runner(tmp_path)


@pytest.fixture(scope="module")
def module_play(tmp_path_factory):
    return runner(tmp_path_factory.mktemp("play"))
