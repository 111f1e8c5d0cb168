"""Playbooks are tried as people run them; modules are imported as Ansible would."""

import functools
import hashlib
import http.server
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import threading
from pathlib import Path

import ansible.module_utils
import pytest

from localcloud import leftovers
from localcloud.artifact import ensure
from localcloud.root import cache
from playbooks.pack_tree import pack
from provisioner.install.job import ArtifactKind, InstallHost, InstallSettings, Method
from tests.localcloud.world import raise_world
from tests.playbooks.machines import EXPORTER, GIB, GROUND, PASSWORD, Machine, Mirror

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


@pytest.fixture(scope="session")
def cloud(tmp_path_factory):
    with raise_world(GROUND, tmp_path_factory.mktemp("cloud")) as world:
        yield world
    left = leftovers.find(GROUND)
    assert not left, left.lines()


@pytest.fixture(scope="session")
def mirror(cloud, tmp_path_factory):
    """An HTTP server on the control plane's own leg: hosts have no internet."""
    folder = tmp_path_factory.mktemp("mirror")
    tree = pack(ensure(cache(), print).path, folder / "tree.tar")
    with tarfile.open(folder / "exporter.tar.gz", "w:gz") as archive:
        member = tarfile.TarInfo("node_exporter-1/node_exporter")
        member.size, member.mode = len(EXPORTER), 0o755
        archive.addfile(member, io.BytesIO(EXPORTER))
    exporter = hashlib.sha256((folder / "exporter.tar.gz").read_bytes()).hexdigest()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = functools.partial(Quiet, directory=folder)
    server = http.server.ThreadingHTTPServer((str(GROUND.gateway), 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield Mirror(f"http://{GROUND.gateway}:{server.server_port}", tree, exporter, folder)
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="session")
def launch(cloud, mirror, tmp_path_factory):
    """Launch a machine whose host key is known before it is born."""
    launched = []
    group = cloud.group("milvus")
    cloud.allow(group, 19530, f"{GROUND.gateway}/32")

    def one():
        path = tmp_path_factory.mktemp("key") / "host"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
        private = "".join(f"    {line}\n" for line in path.read_text().splitlines())
        public = " ".join(path.with_suffix(".pub").read_text().split()[:2])
        user_data = f"#cloud-config\nssh_keys:\n  ed25519_private: |\n{private}"
        user_data += f"  ed25519_public: {public}\n"
        instance_id = cloud.launch(data=(GIB,), user_data=user_data, groups=[group])
        launched.append(instance_id)
        address = cloud.wait(instance_id)["PrivateIpAddress"]
        settings = InstallSettings(
            method=Method.WHEEL,
            artifact_url=f"{mirror.url}/tree.tar",
            artifact_sha256=mirror.tree,
            artifact_kind=ArtifactKind.TREE,
            allow_insecure_wheel=True,
            connect_seconds=30,
        )
        host = InstallHost(f"tok-{instance_id[2:10]}", instance_id, address, "master", public)
        return Machine(cloud, instance_id, host, settings)

    yield one
    for instance_id in launched:
        cloud.end(instance_id)


@pytest.fixture(scope="session")
def by_hand(tmp_path_factory):
    """Run a playbook with a static inventory, as the README says."""
    folder = tmp_path_factory.mktemp("hand")
    play = runner(folder)
    sockets = Path("/tmp/kp-hand")  # short enough for sockets

    def run(machine, book, *more, **variables):
        # This Milvus does not obey while it starts, so a restart costs the whole patience.
        tree = machine.inventory(folder, **{"milvus_stop_seconds": 3, **variables})
        return play(
            book,
            tree,
            *more,
            MILVUS_ROOT_PASSWORD=PASSWORD,
            ANSIBLE_SSH_CONTROL_PATH_DIR=str(sockets),
        )

    yield run
    for socket in sockets.glob("*"):
        subprocess.run(
            ["ssh", "-O", "exit", "-o", f"ControlPath={socket}", "any"],
            capture_output=True,
            check=False,
        )
    shutil.rmtree(sockets, ignore_errors=True)  # a master that was told to go removes its own late


@pytest.fixture(scope="session")
def installed(launch, by_hand):
    """A machine installed by hand, once for the tests that leave it as it is."""
    machine = launch()
    first = by_hand(machine, "install.yml")
    assert first.code == 0, first.text
    assert PASSWORD not in first.text
    return machine
