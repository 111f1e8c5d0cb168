"""An installed pretend host, by hand and through the installer, while no service runs."""

import subprocess
from dataclasses import replace

import pytest

from provisioner.install.job import Reason
from provisioner.install.runner import Installer
from tests.playbooks.machines import GIB, GROUND, ON_HOST, PASSWORD, change_password, install, opens

pytestmark = ON_HOST


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


def test_verify_fails_where_the_password_milvus_is_born_with_opens(installed, by_hand):
    """Also when the caller knows a good password, as the README has it."""
    change_password(installed, PASSWORD, "Milvus")
    try:
        done = by_hand(installed, "verify.yml")
    finally:
        change_password(installed, "Milvus", PASSWORD)

    assert done.failed(installed.host.token) == [
        "Prove that the default root password opens nothing"
    ]
    assert "PASSWORD_NOT_SET" in done.text


def test_the_password_is_replaced_after_a_crash_too(installed, by_hand):
    """Milvus refuses that for a minute, until the session of the process before has ended."""
    change_password(installed, PASSWORD, "Milvus")
    try:
        installed.shell("sudo systemctl kill -s KILL milvus && sudo rm -f /etc/kite/seal.json")
        done = by_hand(installed, "install.yml")
        ours, born = opens(installed, PASSWORD), opens(installed, "Milvus")
    finally:
        if opens(installed, "Milvus"):
            change_password(installed, "Milvus", PASSWORD)

    assert done.code == 0, done.text
    assert (ours, born) == (True, False)


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


def test_the_kernel_around_a_pretend_host_is_left_alone(installed):
    assert installed.shell("ls /etc/sysctl.d/60-kite.conf 2>/dev/null || true") == ""
