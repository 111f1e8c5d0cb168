"""What a service loads before it does anything: its own libraries and no one else's."""

import json
import subprocess
import sys

import pytest

from tests.house import tree

CLOUD = {"boto3", "botocore.session", "botocore.client"}
DATABASE = {"mongoengine", "pymongo", "bson", "mongomock"}
INSTALLING = {"ansible", "ansible_runner"}
# Big, and for other purposes than serving; X.509 is what pymongo looks for pyOpenSSL with.
OTHERS = {"rich", "typer", "moto", "cryptography.x509"}
NEVER = {
    "bff": CLOUD | DATABASE | INSTALLING | OTHERS | {"yaml"},
    "registry_svc": CLOUD | INSTALLING | OTHERS | {"mongomock"},
    "provisioner": CLOUD | DATABASE | OTHERS,
    "whitelist_svc": CLOUD | DATABASE | INSTALLING | OTHERS,
}


@pytest.mark.parametrize("service", NEVER)
def test_a_service_loads_its_own_libraries_only(service):
    code = f"import json, sys, {service}.__main__; print(json.dumps(list(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tree.ROOT, capture_output=True, text=True, check=True
    )
    loaded = json.loads(done.stdout)
    others = NEVER.keys() - {service}
    assert (NEVER[service] | others).intersection(loaded) == set()


def test_rich_is_there_for_whoever_wants_it():
    code = "import kite.telemetry.logs, sys; assert 'rich' not in sys.modules; import rich.table"
    subprocess.run([sys.executable, "-c", code], cwd=tree.ROOT, check=True)
