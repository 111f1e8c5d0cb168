"""An instance is a machine: it boots, keeps its disks, stops, starts, grows and ends."""

from __future__ import annotations

import subprocess

import pytest

from tests.localcloud.world import until

GIB = 1 << 30


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """A host key made before the machine: (private, public)."""
    path = tmp_path_factory.mktemp("key") / "host"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    return path.read_text(), path.with_suffix(".pub").read_text()


@pytest.fixture(scope="module")
def host(cloud, planted):
    private, public = planted
    body = "".join(f"    {line}\n" for line in private.splitlines())
    user_data = (
        f"#cloud-config\nssh_keys:\n  ed25519_private: |\n{body}  ed25519_public: {public}\n"
    )
    instance_id = cloud.launch(root=9, data=(5,), user_data=user_data)
    cloud.wait(instance_id)
    yield instance_id
    cloud.end(instance_id)


def test_the_planted_host_key_is_the_one_strangers_see(cloud, host, planted):
    assert cloud.scan(host) == " ".join(planted[1].split()[:2])


def test_systemd_runs_it_and_it_is_called_by_its_id(cloud, host):
    said = cloud.login(host, "systemctl is-system-running --wait; hostname; sudo ps -p 1 -o comm=")

    assert said.split() == ["running", host, "systemd"]


SIZES = "sudo blockdev --getsize64 /dev/nvme1n1; df --output=size -B1 / | tail -1"


def ordered(cloud, host):
    """Bytes of the data and the root volume as EC2 lists them, by device."""
    of_host = [{"Name": "attachment.instance-id", "Values": [host]}]
    found = cloud.ec2.describe_volumes(Filters=of_host)["Volumes"]
    sizes = {one["Attachments"][0]["Device"]: one["Size"] * GIB for one in found}
    return sizes["/dev/sdf"], sizes["/dev/sda1"]


def has(cloud, host, data, root):
    """Whether the host sees the disk, and a root file system of that size less its own needs."""
    disk, files = map(int, cloud.login(host, SIZES).split())
    return disk == data and 0.97 * root < files <= root


def test_disks_have_the_ordered_size(cloud, host):
    data, root = ordered(cloud, host)

    assert has(cloud, host, data, root)
    assert data != root


def test_the_data_disk_has_the_name_aws_gives_it(cloud, host):
    volume = next(
        one["Ebs"]["VolumeId"]
        for one in cloud.see(host)["BlockDeviceMappings"]
        if one["DeviceName"] == "/dev/sdf"
    )

    link = f"/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_{volume.replace('-', '')}"
    assert cloud.login(host, f"readlink -f {link}") == "/dev/nvme1n1"


def test_it_sees_only_its_own_processes_network_and_disks(cloud, host):
    assert cloud.login(host, "cat /proc/[0-9]*/comm | sort -u | grep -cx python3 || true") == "0"
    assert cloud.login(host, "ls /sys/class/net").split() == ["eth0", "lo"]
    listed = cloud.login(host, "ls /sys/block; lsblk -nro NAME,TYPE; lsblk -nro NAME /dev/nvme1n1")
    assert listed.split() == ["nvme1n1", "nvme1n1", "disk", "nvme1n1"]


def test_stop_and_start_keep_disks_and_host_key(cloud, host, planted):
    cloud.login(
        host,
        "sudo mkfs.xfs -q -f /dev/nvme1n1 && sudo mkdir -p /data && sudo mount /dev/nvme1n1 /data "
        "&& echo kept | sudo tee /data/file /home/ubuntu/file >/dev/null",
    )

    private = cloud.see(host)["PrivateIpAddress"]
    cloud.ec2.stop_instances(InstanceIds=[host])
    cloud.wait(host, "stopped")
    assert cloud.login(host, "true", check=False).returncode == 255
    cloud.ec2.start_instances(InstanceIds=[host])
    cloud.wait(host)

    assert cloud.see(host)["PrivateIpAddress"] == private
    assert until(lambda: cloud.scan(host)) == " ".join(planted[1].split()[:2])
    said = cloud.login(host, "sudo mount /dev/nvme1n1 /data; cat /data/file /home/ubuntu/file")
    assert said.split() == ["kept", "kept"]


def test_a_reboot_from_inside_comes_back(cloud, host):
    before = cloud.login(host, "cat /proc/sys/kernel/random/boot_id; uptime -s; pgrep -o sshd")
    cloud.login(host, "echo here > ~/before; sudo touch /run/this-boot; sudo reboot", check=False)

    def back():
        done = cloud.login(host, "test ! -e /run/this-boot && cat ~/before", check=False)
        return done.stdout.strip() == "here"

    until(back, "the reboot")
    assert before


@pytest.fixture
def own(cloud):
    """A machine of one test's own that client `a` may reach."""
    outside = f"{cloud.ground.public[200]}/32"
    cloud.allow(cloud.gate, 22, outside)
    instance_id = cloud.launch(data=(1,))
    cloud.wait(instance_id)
    yield instance_id
    cloud.end(instance_id)
    cloud.refuse(cloud.gate, 22, outside)


def test_a_reboot_through_ec2_keeps_disks_and_addresses(cloud, own):
    before = cloud.see(own)
    until(lambda: cloud.login(own, "sudo touch /run/this-boot", check=False).returncode == 0)
    cloud.login(own, "echo asked > ~/before")

    cloud.ec2.reboot_instances(InstanceIds=[own])

    def back():
        done = cloud.login(own, "test ! -e /run/this-boot && cat ~/before", check=False)
        return done.stdout.strip() == "asked"

    until(back, "the reboot")
    after = cloud.see(own)
    kept = ("State", "PrivateIpAddress", "PublicIpAddress", "BlockDeviceMappings", "LaunchTime")
    assert [after[part] for part in kept] == [before[part] for part in kept]
    until(lambda: cloud.reaches("a", after["PublicIpAddress"], 22), "the public address to answer")
    assert cloud.login(own, "sudo test -b /dev/nvme1n1 && echo there") == "there"


def test_an_elastic_address_answers_again_after_stop_and_start(cloud, own):
    before = cloud.see(own)
    cloud.ec2.stop_instances(InstanceIds=[own])
    cloud.wait(own, "stopped")
    assert "PublicIpAddress" not in cloud.see(own)
    made = cloud.ec2.allocate_address(Domain="vpc")
    linked = cloud.ec2.associate_address(InstanceId=own, AllocationId=made["AllocationId"])
    cloud.ec2.start_instances(InstanceIds=[own])
    after = cloud.wait(own)

    until(lambda: cloud.reaches("a", made["PublicIp"], 22), "the elastic address to answer")
    assert after["PublicIpAddress"] == made["PublicIp"] != before["PublicIpAddress"]
    assert after["PrivateIpAddress"] == before["PrivateIpAddress"]
    assert not cloud.reaches("a", before["PublicIpAddress"], 22)
    cloud.ec2.disassociate_address(AssociationId=linked["AssociationId"])
    cloud.ec2.release_address(AllocationId=made["AllocationId"])


def test_a_larger_volume_is_seen_at_once(cloud, host):
    for mapping in cloud.see(host)["BlockDeviceMappings"]:
        volume = mapping["Ebs"]["VolumeId"]
        size = cloud.ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]["Size"]
        cloud.ec2.modify_volume(VolumeId=volume, Size=size + 3)

    until(lambda: has(cloud, host, *ordered(cloud, host)), "the growth")
    assert ordered(cloud, host)[1] > 9 * GIB


def test_a_volume_attached_later_appears_and_goes(cloud, host):
    zone = cloud.see(host)["Placement"]["AvailabilityZone"]
    volume = cloud.ec2.create_volume(AvailabilityZone=zone, Size=3, VolumeType="gp3")["VolumeId"]
    cloud.ec2.attach_volume(VolumeId=volume, InstanceId=host, Device="/dev/sdg")
    size = "sudo blockdev --getsize64 /dev/nvme2n1"

    assert int(until(lambda: cloud.login(host, size, check=False).stdout)) == 3 * GIB

    cloud.ec2.detach_volume(VolumeId=volume, InstanceId=host)
    until(lambda: cloud.login(host, "test -e /dev/nvme2n1", check=False).returncode == 1)
    cloud.ec2.delete_volume(VolumeId=volume)
    image = cloud.folder / "state" / cloud.ground.volumes_folder / f"{volume}.img"
    until(lambda: not image.exists(), "the end of the image")


def test_an_elastic_address_moves_while_it_runs(cloud, host):
    cloud.allow(cloud.gate, 22, f"{cloud.ground.public[200]}/32")
    made = cloud.ec2.allocate_address(Domain="vpc")
    address = made["PublicIp"]
    assert not cloud.reaches("a", address, 22)

    linked = cloud.ec2.associate_address(InstanceId=host, AllocationId=made["AllocationId"])
    until(lambda: cloud.reaches("a", address, 22), "the address to answer")
    cloud.ec2.disassociate_address(AssociationId=linked["AssociationId"])
    until(lambda: not cloud.reaches("a", address, 22), "the address to fall silent")
    cloud.ec2.release_address(AllocationId=made["AllocationId"])
    cloud.refuse(cloud.gate, 22, f"{cloud.ground.public[200]}/32")


def test_it_cannot_reach_the_internet(cloud, host):
    script = "timeout 2 bash -c '</dev/tcp/192.0.2.1/80' 2>/dev/null"

    assert cloud.login(host, script, check=False).returncode != 0


def test_the_artifact_is_served_to_hosts(cloud, host):
    url, sha256 = cloud.ready["artifact_url"], cloud.ready["artifact_sha256"]
    fetch = f"import urllib.request as u; u.urlretrieve({url!r}, '/tmp/w')"

    assert cloud.login(host, f'python3 -c "{fetch}" && sha256sum /tmp/w').split()[0] == sha256
    other = url.rsplit("/", 1)[0] + "/etc/passwd"
    assert (
        "404"
        in cloud.login(host, f'python3 -c "{fetch}" 2>&1'.replace(url, other), check=False).stdout
    )


def test_a_script_runs_once_and_an_ended_instance_leaves_nothing(cloud):
    script = "#!/bin/sh\necho run >> /var/tmp/runs\n"
    instance_id = cloud.launch(user_data=script, data=(1,))
    cloud.wait(instance_id)
    until(lambda: cloud.login(instance_id, "cat /var/tmp/runs", check=False).stdout == "run\n")
    cloud.ec2.stop_instances(InstanceIds=[instance_id])
    cloud.wait(instance_id, "stopped")
    cloud.ec2.start_instances(InstanceIds=[instance_id])
    cloud.wait(instance_id)
    until(lambda: cloud.login(instance_id, "true", check=False).returncode == 0)
    cloud.login(instance_id, "systemctl is-system-running --wait")
    assert cloud.login(instance_id, "cat /var/tmp/runs") == "run"

    volumes = [one["Ebs"]["VolumeId"] for one in cloud.see(instance_id)["BlockDeviceMappings"]]
    cloud.end(instance_id)

    folder = cloud.folder / "state"
    images = [folder / cloud.ground.volumes_folder / f"{volume}.img" for volume in volumes]
    until(lambda: not any(image.exists() for image in images), "the end of the images")
    assert not (folder / cloud.ground.hosts_folder / instance_id).exists()
    mounts = subprocess.run(["findmnt", "-rn"], text=True, capture_output=True, check=True).stdout
    assert instance_id not in mounts
    namespaces = subprocess.run(["ip", "netns"], text=True, capture_output=True, check=True).stdout
    assert cloud.ground.host_namespace(instance_id) not in namespaces
