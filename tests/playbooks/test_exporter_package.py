"""The node exporter of the distribution, installed by its own package manager on a host."""

import pytest

from tests.playbooks.debian_mirror import fetch
from tests.playbooks.machines import ON_HOST

pytestmark = ON_HOST

WANTED = {"node_exporter_enabled": True, "disk_size_gib": 0}
FRESH = (
    "sudo dpkg --purge prometheus-node-exporter 2>/dev/null;"
    " sudo rm -rf /var/lib/apt/lists/* /etc/kite/seal.json /etc/apt/sources.list.d/*;"
    " sudo touch /var/lib/apt/lists;"  # as on an image made today
)


@pytest.fixture(scope="module")
def bare(launch):
    return launch()


@pytest.fixture(scope="module")
def packages(mirror):
    why = fetch(mirror.folder / "debian")
    assert not why, why
    return f"{mirror.url}/debian"


def point(machine, repository):
    """Let the host install from this repository only, and forget what it had."""
    line = f"deb [trusted=yes] {repository} ./"
    machine.shell(f"{FRESH} echo '{line}' | sudo tee /etc/apt/sources.list")


def test_the_distribution_s_exporter_is_installed_and_answers(bare, packages, by_hand):
    point(bare, packages)

    first = by_hand(bare, "install.yml", **WANTED)

    assert first.code == 0, first.text
    assert bare.shell("systemctl is-active prometheus-node-exporter") == "active"
    ask = 'import urllib.request as u; print(u.urlopen("http://127.0.0.1:9100/metrics").status)'
    assert bare.shell(f"python3 -c '{ask}'") == "200"
    assert by_hand(bare, "install.yml", **WANTED).changed(bare.host.token) == 0


def test_a_package_lock_held_by_somebody_else_is_waited_for(bare, packages, by_hand):
    """As by the first update of a fresh image, which is never killed."""
    point(bare, packages)
    bare.shell("sudo apt-get update")
    hold = (
        "import fcntl, time; lock = open('/var/lib/dpkg/lock-frontend', 'w');"
        " fcntl.lockf(lock, fcntl.LOCK_EX); time.sleep(15); open('/run/let-go', 'w').close()"
    )
    bare.shell(f'sudo systemd-run --collect python3 -c "{hold}"')

    played = by_hand(bare, "install.yml", **WANTED)

    assert played.code == 0, played.text
    installed = "/var/lib/dpkg/info/prometheus-node-exporter.list"
    assert bare.shell(f"sudo find {installed} -newer /run/let-go") == installed


def test_a_package_mirror_that_is_gone_is_a_failure_with_its_reason(bare, by_hand):
    point(bare, "http://127.0.0.1:9/none")

    played = by_hand(bare, "install.yml", **WANTED)

    assert played.failed(bare.host.token) == ["Install the node exporter of the distribution"]
    assert "127.0.0.1:9" in played.text
