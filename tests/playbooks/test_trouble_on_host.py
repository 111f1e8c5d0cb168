"""What is refused, what breaks, and what is mended on a pretend host."""

import pytest

from provisioner.install.job import Reason
from provisioner.install.runner import Installer
from tests.localcloud.world import until
from tests.playbooks.machines import GIB, ON_HOST, PASSWORD, install, opens

pytestmark = ON_HOST


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
