"""The roles on a pretend host, by hand and through the installer, while no service runs."""

import functools
import hashlib
import http.server
import io
import subprocess
import tarfile
import threading
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from pymilvus import MilvusClient, MilvusException

from localcloud import leftovers
from localcloud.artifact import ensure
from localcloud.ground import Ground
from localcloud.root import cache
from playbooks.pack_tree import pack
from provisioner.install.inventory import inventory
from provisioner.install.job import (
    ArtifactKind,
    InstallHost,
    InstallJob,
    InstallSettings,
    Method,
    Reason,
)
from provisioner.install.runner import Installer
from tests.localcloud.conftest import _unfit
from tests.localcloud.world import World, raise_world

pytestmark = [
    pytest.mark.localcloud,
    pytest.mark.skipif(bool(_unfit()), reason=_unfit()),
]

GROUND = Ground("kp", 89)
GIB = 5
PASSWORD = "canary-6fd1-word"
EXPORTER = b"""#!/usr/bin/python3
import http.server, sys
address = sys.argv[1].rpartition(":")[2]
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
http.server.HTTPServer(("", int(address)), Handler).serve_forever()
"""


@dataclass(frozen=True)
class Mirror:
    """Where hosts fetch from, and the checksums of what lies there."""

    url: str
    tree: str
    exporter: str


@dataclass(frozen=True)
class Machine:
    """A launched host and all that is needed to install on it."""

    cloud: World
    instance_id: str
    host: InstallHost
    settings: InstallSettings

    def job(self, key, **variables):
        return InstallJob(
            key=key,
            hosts=(self.host,),
            private_key=self.cloud.key.read_bytes(),
            variables={"disk_size_gib": GIB, "milvus_stop_seconds": 3, **variables},
            secrets={"milvus_root_password": PASSWORD},
        )

    def inventory(self, folder, **variables):
        """What a person at a shell would write."""
        (folder / "known_hosts").write_text(f"{self.host.address} {self.host.host_key}\n")
        tree = inventory(self.job("by hand", **variables), self.settings, str(folder))
        shared = tree["milvus"]["vars"]
        del shared["milvus_root_password_file"]
        shared["ansible_ssh_private_key_file"] = str(self.cloud.key)
        shared.update(variables)
        return tree

    def shell(self, script):
        return self.cloud.login(self.instance_id, script)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    with raise_world(GROUND, tmp_path_factory.mktemp("cloud")) as world:
        yield world
    left = leftovers.find(GROUND)
    assert not left, left.lines()


@pytest.fixture(scope="module")
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
    yield Mirror(f"http://{GROUND.gateway}:{server.server_port}", tree, exporter)
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
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
            node_exporter=False,
            connect_seconds=30,
        )
        host = InstallHost(f"tok-{instance_id[2:10]}", instance_id, address, "master", public)
        return Machine(cloud, instance_id, host, settings)

    yield one
    for instance_id in launched:
        cloud.end(instance_id)


async def install(machine, key="k", **change):
    """One job from start to results; the settings may be changed."""
    installer = Installer(replace(machine.settings, **change))
    try:
        installer.start(machine.job(key))
        (result,) = await installer.wait(key)
        return result, installer.progress(key)[0]
    finally:
        await installer.close()


@pytest.fixture(scope="module")
def by_hand(tmp_path_factory):
    """Run a playbook with a static inventory, as the README says."""
    from tests.playbooks.conftest import runner

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
    if sockets.exists():
        sockets.rmdir()


@pytest.fixture(scope="module")
def installed(launch, by_hand):
    """A machine installed by hand, once for the tests that leave it as it is."""
    machine = launch()
    first = by_hand(machine, "install.yml")
    assert first.code == 0, first.text
    assert PASSWORD not in first.text
    return machine


def opens(machine, password):
    client = None
    try:
        client = MilvusClient(
            f"http://{machine.host.address}:19530", user="root", password=password, timeout=5
        )
        return client.list_users() == ["root"]
    except MilvusException:
        return False
    finally:
        if client is not None:
            client.close()


def test_milvus_answers_with_its_own_password_only(installed):
    assert opens(installed, PASSWORD)
    assert not opens(installed, "Milvus")


def test_the_second_run_changes_nothing(installed, by_hand):
    by_hand(installed, "install.yml")

    assert by_hand(installed, "install.yml").changed(installed.host.token) == 0


def test_a_check_of_an_installed_host_is_clean(installed, by_hand):
    by_hand(installed, "install.yml")

    assert by_hand(installed, "install.yml", "--check").changed(installed.host.token) == 0


def test_roles_change_nothing_even_without_the_seal(installed, by_hand):
    installed.shell("sudo rm -f /etc/kite/seal.json")

    figures = by_hand(installed, "install.yml")

    assert {
        name: result["changed"]
        for name, result in figures.results(installed.host.token).items()
        if result.get("changed")
    } == {"Look whether the host is already as asked": True, "Seal the host": True}


def test_verify_is_content(installed, by_hand):
    assert by_hand(installed, "verify.yml").changed(installed.host.token) == 0


def test_what_somebody_edited_is_put_back(installed, by_hand):
    installed.shell("echo '# mine' | sudo tee -a /etc/kite/milvus/milvus.yaml")

    assert by_hand(installed, "install.yml").changed(installed.host.token) > 0
    assert "# mine" not in installed.shell("cat /etc/kite/milvus/milvus.yaml")
    assert opens(installed, PASSWORD)


def test_a_unit_somebody_stopped_runs_again(installed, by_hand):
    installed.shell("sudo systemctl kill -s KILL milvus && sudo systemctl stop milvus")

    assert by_hand(installed, "install.yml").changed(installed.host.token) > 0
    assert opens(installed, PASSWORD)


def test_data_lies_on_the_disk_that_was_ordered(installed):
    source, size = installed.shell(
        "findmnt --noheadings --output SOURCE,SIZE --bytes /var/lib/milvus"
    ).split()

    assert source == "/dev/nvme1n1"
    assert 0.9 * GIB < int(size) / (1 << 30) <= GIB
    assert installed.shell("sudo ls /var/lib/milvus/etcd")


def test_the_password_is_in_no_file_of_the_host(installed):
    # Written backwards, because sudo writes its command line into the journal.
    places = "/etc /opt /var/lib /var/log /tmp /root /home"
    found = installed.shell(
        f"sudo sh -c 'grep -rl \"$(echo {PASSWORD[::-1]} | rev)\" {places} || true'"
    )

    assert found == ""


def test_milvus_runs_as_a_user_of_its_own(installed):
    assert installed.shell("ps -o user= -C milvus").strip() == "milvus"


async def test_the_installer_finds_it_installed(installed, by_hand):
    result, progress = await install(installed)

    assert (result.reason, result.ok) == (Reason.OK, True), result.description
    assert progress.done == progress.total


async def test_another_host_key_is_refused(installed):
    other = replace(installed.host, host_key="ssh-ed25519 " + "A" * 68)

    result, _ = await install(replace(installed, host=other))

    assert (result.ok, result.reason) == (False, Reason.HOST_IDENTITY)


@pytest.fixture
def stranger(tmp_path):
    """A login key that opens nothing."""
    path = tmp_path / "other"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    return path.read_bytes()


async def test_another_login_key_is_refused(installed, stranger):
    installer = Installer(installed.settings)
    installer.start(replace(installed.job("k"), private_key=stranger))

    (result,) = await installer.wait("k")

    assert result.reason == Reason.ACCESS_DENIED


async def test_one_dead_host_does_not_hold_up_the_other(installed):
    dead = replace(installed.host, token="dead", address=str(GROUND.vpc[60_000]))
    installer = Installer(replace(installed.settings, connect_seconds=1))
    installer.start(replace(installed.job("k"), hosts=(dead, installed.host)))

    results = {result.token: result.reason for result in await installer.wait("k")}

    assert results == {"dead": Reason.UNREACHABLE, installed.host.token: Reason.OK}


@pytest.fixture(scope="module")
def bare(launch):
    """A machine for what fails; nothing ever comes to stand on it."""
    return launch()


async def test_a_wrong_checksum_is_refused_and_leaves_nothing(bare):
    result, _ = await install(bare, artifact_sha256="0" * 64)

    assert result.reason == Reason.CHECKSUM_MISMATCH, result.description
    assert bare.shell("ls -A /opt/kite") == ""


async def test_a_missing_artifact_is_said_to_be_missing(bare, mirror):
    result, _ = await install(bare, artifact_url=f"{mirror.url}/nothing")

    assert result.reason == Reason.PACKAGE_UNAVAILABLE
    assert "404" in result.description


async def test_the_wheel_is_refused_where_nobody_allowed_it(bare):
    result, _ = await install(bare, allow_insecure_wheel=False)

    assert result.reason == Reason.TASK_FAILED
    assert "milvus_allow_insecure_wheel" in result.description


async def test_a_payload_in_a_variable_is_only_text(bare, tmp_path):
    trace = str(tmp_path / "was-here")
    payload = "{{ lookup('ansible.builtin.pipe', 'touch " + trace + "') }}"
    installer = Installer(bare.settings)
    installer.start(bare.job("k", milvus_root_path=payload))

    (result,) = await installer.wait("k")

    assert result.reason == Reason.TASK_FAILED
    assert "plain words" in result.description
    assert not list(tmp_path.iterdir())
    assert bare.shell(f"ls {trace} 2>/dev/null || true") == ""


def test_a_check_of_a_new_host_goes_through(bare, by_hand):
    look = "ls -A /etc/kite /opt/kite; id milvus; findmnt /var/lib/milvus; sudo blkid; true"
    before = bare.shell(look)

    assert by_hand(bare, "install.yml", "--check").changed(bare.host.token) > 0

    assert bare.shell(look) == before


@pytest.fixture(scope="module")
def spare(launch):
    """A machine for what breaks Milvus and mends it again."""
    return launch()


def test_a_unit_that_dies_is_told_with_the_end_of_its_journal(spare, by_hand):
    broken = {"milvus_settings": {"etcd": {"data": {"dir": "/proc/nowhere"}}}}

    played = by_hand(spare, "install.yml", **broken)

    result = played.results(spare.host.token)
    assert "Start Milvus and wait until it answers" in result, played.text
    (item,) = result["Start Milvus and wait until it answers"]["results"]
    assert item["reason"] == "UNIT_FAILED"
    assert any("/proc/nowhere" in line for line in item["journal"]), item["journal"]

    assert by_hand(spare, "install.yml").code == 0
    assert opens(spare, PASSWORD)


def test_a_grown_volume_is_used_whole(spare, by_hand):
    assert by_hand(spare, "install.yml").code == 0
    of_host = [{"Name": "attachment.instance-id", "Values": [spare.instance_id]}]
    volumes = spare.cloud.ec2.describe_volumes(Filters=of_host)["Volumes"]
    data = next(one for one in volumes if one["Attachments"][0]["Device"] == "/dev/sdf")
    spare.cloud.ec2.modify_volume(VolumeId=data["VolumeId"], Size=GIB + 2)
    from tests.localcloud.world import until

    size = "sudo blockdev --getsize64 /dev/nvme1n1"
    until(lambda: int(spare.shell(size)) == (GIB + 2) << 30, "growth of the disk")
    again = {"disk_size_gib": 0}

    assert by_hand(spare, "install.yml", "--check", **again).changed(spare.host.token) > 0
    grown = by_hand(spare, "install.yml", **again).results(spare.host.token)

    assert grown["Bring the data disk into use"]["grown"] is True
    figure = spare.shell("df --output=size --block-size=1 /var/lib/milvus | tail -1")
    assert int(figure) > (GIB + 1) << 30
    assert by_hand(spare, "install.yml", **again).changed(spare.host.token) == 0


def test_an_exporter_out_of_an_archive_answers(spare, by_hand, mirror):
    wanted = {
        "node_exporter_enabled": True,
        "node_exporter_artifact_url": f"{mirror.url}/exporter.tar.gz",
        "node_exporter_artifact_sha256": mirror.exporter,
        "disk_size_gib": 0,
    }

    assert by_hand(spare, "install.yml", **wanted).code == 0
    assert spare.shell("systemctl is-active node_exporter") == "active"
    assert by_hand(spare, "install.yml", **wanted).changed(spare.host.token) == 0


def test_removed_and_installed_again_keeps_the_data(launch, by_hand):
    machine = launch()
    assert by_hand(machine, "install.yml").code == 0

    assert by_hand(machine, "remove.yml").changed(machine.host.token) > 0
    assert by_hand(machine, "remove.yml").changed(machine.host.token) == 0
    left = machine.shell("systemctl is-active milvus; ls /opt/kite /etc/kite").split()
    assert left[0] == "inactive"
    assert "seal.json" not in left

    again = by_hand(machine, "install.yml")
    assert again.code == 0, again.text
    assert (
        again.results(machine.host.token)["Replace the root password Milvus is born with"][
            "changed"
        ]
        is False
    )


def test_a_disk_with_a_stranger_s_data_is_left_alone(launch, by_hand):
    machine = launch()
    machine.shell("sudo mkfs.ext4 -q /dev/nvme1n1")

    result = by_hand(machine, "install.yml").results(machine.host.token)

    assert result["Bring the data disk into use"]["reason"] == "DISK_IN_USE"
    assert "ext4" in machine.shell("sudo blkid -p /dev/nvme1n1")


def test_the_kernel_around_a_pretend_host_is_left_alone(installed):
    assert installed.shell("ls /etc/sysctl.d/60-kite.conf 2>/dev/null || true") == ""
