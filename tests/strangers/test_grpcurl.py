"""grpcurl, which knows nothing of us, finds every service, its health and its failures."""

import json
import shutil
import subprocess

import pytest

from localcloud import root
from tests.worlds.services import serving

PROMISED = {
    "registry": {
        "kite.v1.AdoptionService",
        "kite.v1.ControllerService",
        "kite.v1.OperationService",
        "kite.v1.RegistryService",
    },
    "provisioner": {
        "kite.v1.ProvisionerService",
        "kite.v1.SurveyService",
        "kite.v1.SweepService",
    },
    "whitelist": {"kite.v1.SurveyService", "kite.v1.SweepService", "kite.v1.WhitelistService"},
}
STANDARD = {"grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"}
NOBODY = "http://127.0.0.1:9"  # EC2 is away: the services serve all the same


def program():
    """grpcurl as `make setup` built it, or the machine's own."""
    built = sorted(root.cache().glob("go/*/grpcurl"))
    return str(built[-1]) if built else shutil.which("grpcurl")


pytestmark = [
    pytest.mark.skipif(program() is None, reason="no grpcurl (make setup builds it where Go is)"),
    pytest.mark.timeout(180),
]


@pytest.fixture(scope="module")
def services(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("services"), NOBODY) as found:
        yield found


def grpcurl(*words, check=True):
    done = subprocess.run(
        [program(), "-plaintext", "-max-time", "20", *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert not check or done.returncode == 0, done.stderr
    return done


@pytest.mark.parametrize("name", PROMISED)
def test_reflection_lists_every_service(services, name):
    listed = grpcurl(services.targets[name], "list").stdout.split()
    assert set(listed) == PROMISED[name] | STANDARD


@pytest.mark.parametrize(
    ("name", "service"), [(n, s) for n, each in PROMISED.items() for s in ("", *sorted(each))]
)
def test_every_service_says_it_is_serving(services, name, service):
    asked = json.dumps({"service": service})
    target = services.targets[name]
    answer = grpcurl("-d", asked, target, "grpc.health.v1.Health/Check").stdout
    assert json.loads(answer) == {"status": "SERVING"}


@pytest.mark.parametrize("name", PROMISED)
def test_every_method_describes_itself(services, name):
    for service in PROMISED[name]:
        told = grpcurl(services.targets[name], "describe", service).stdout
        assert told.count("rpc ") >= 1
        assert f"{service} is a service" in told


def test_a_call_made_from_what_reflection_told(services):
    target = services.targets["registry"]
    answer = json.loads(grpcurl(target, "kite.v1.RegistryService/ListPlans").stdout)
    assert "M5" in json.dumps(answer)


def test_a_failure_carries_details_a_stranger_can_read(services):
    asked = json.dumps({"user": "nobody", "milvus_name": "not-there"})
    target = services.targets["registry"]
    method = "kite.v1.RegistryService/GetCluster"
    done = grpcurl("-format-error", "-d", asked, target, method, check=False)
    assert done.returncode != 0
    failed = json.loads(done.stderr)
    assert failed["code"] == 5  # NOT_FOUND
    infos = [one for one in failed["details"] if one["@type"].endswith("google.rpc.ErrorInfo")]
    assert infos[0]["domain"] == "kite"
    assert infos[0]["reason"].isupper()
