"""`kite gc` and `kite adopt` as an operator types them, beside services that run."""

import subprocess
import sys
import time

import pytest

from kite import tags
from localcloud.strict.inproc import client
from tests.worlds.services import ROOT, serving
from tests.worlds.strict import START

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def services(one_ec2, tmp_path_factory):
    api, clock = one_ec2
    clock.now = START
    api.reset()
    folder = tmp_path_factory.mktemp("services")
    often = {f"KITE_{name}_SWEEP_SECONDS": "1" for name in ("PROVISIONER", "WHITELIST")}
    with serving(folder, api.endpoint, KITE_INSTALL="test", **often) as made:
        yield made


def kite(services, *words, **env):
    process = subprocess.run(
        [sys.executable, "-m", "kite.cli", *words],
        cwd=ROOT,
        env=services.env | {"COLUMNS": "200"} | env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return process.returncode, process.stdout, process.stderr


def test_an_install_without_anything_is_clean(services):
    assert kite(services, "gc") == (0, "Nothing is left over.\n", "")
    assert kite(services, "adopt") == (0, "EC2 shows no cluster of this install.\n", "")


@pytest.fixture
def address(services, one_ec2):
    """An address of a cluster that no registry ever knew."""
    hands = client(one_ec2[0].internal_endpoint)
    owned = tags.pack(tags.cluster_tags("test", "cnever", kind="address"))
    specification = {"ResourceType": "elastic-ip", "Tags": owned}
    made = hands.allocate_address(Domain="vpc", TagSpecifications=[specification])
    yield made["AllocationId"]
    hands.release_address(AllocationId=made["AllocationId"])


def test_what_is_there_without_a_cluster_is_listed_and_kept(services, address):
    code, out, err = kite(services, "gc", "--yes", "--now", "--unproven")
    assert (code, err) == (1, "")
    row = " ".join(out.splitlines()[1].split())
    assert row.startswith(f"address {address} cnever ")
    assert "- kept the records know no such cluster" in row
    assert "kite adopt" in row
    code, out, err = kite(services, "adopt", "--yes")
    assert (code, out) == (0, "EC2 shows no cluster of this install.\n")
    assert address in err


def test_a_dry_run_is_a_look(services, address, one_ec2):
    hands = client(one_ec2[0].internal_endpoint)
    before = hands.describe_addresses()["Addresses"]
    assert kite(services, "gc", "--dry-run") == kite(services, "gc")
    assert hands.describe_addresses()["Addresses"] == before


def test_the_loops_of_both_owners_run(services, address, one_ec2):
    hands = client(one_ec2[0].internal_endpoint)
    owned = tags.pack(tags.cluster_tags("test", "cnever", kind="whitelist"))
    group = hands.create_security_group(
        GroupName="kite-cnever",
        Description="left behind",
        VpcId=hands.create_vpc(CidrBlock="10.88.0.0/16")["Vpc"]["VpcId"],
        TagSpecifications=[{"ResourceType": "security-group", "Tags": owned}],
    )["GroupId"]
    last = time.monotonic() + 60
    while time.monotonic() < last:
        seen = [line for line in services.log.read_text().splitlines() if "orphan seen" in line]
        if all(any(one in line for line in seen) for one in (address, group)):
            break
        time.sleep(0.2)
    else:
        pytest.fail("not seen by the loops")
    hands.delete_security_group(GroupId=group)


def test_what_cannot_be_done_is_said(services):
    code, _, err = kite(services, "gc", "--yes", "--dry-run")
    assert code == 2
    assert "exclude each other" in err
    nobody = "127.0.0.1:9"
    code, out, err = kite(services, "gc", KITE_PROVISIONER=nobody, KITE_WHITELIST=nobody)
    assert (code, out) == (3, "")
    assert "provisioner: UNAVAILABLE" in err
