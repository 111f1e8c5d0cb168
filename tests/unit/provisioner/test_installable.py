"""Settings that buy a machine the role then refuses are named before anything is bought."""

from pathlib import Path

import pytest
import yaml

from kite.described import describe
from provisioner.installable import PINNED, SHA256, URL
from provisioner.settings import Settings

ROLE = Path(__file__).parents[3] / "playbooks/roles/milvus/vars/main.yml"
GOOD = "@sha256:" + "0" * 64
IMAGES = {"MILVUS_IMAGE": f"docker.io/milvusdb/milvus{GOOD}", "ETCD_IMAGE": f"quay.io/etcd{GOOD}"}
WHEEL = {
    "INSTALL_METHOD": "wheel",
    "ALLOW_INSECURE_WHEEL": "true",
    "ARTIFACT_URL": "http://10.0.0.1:8000/milvus.whl",
    "ARTIFACT_SHA256": "a" * 64,
}


def lacking(**given):
    own = {f"KITE_PROVISIONER_{name}": value for name, value in given.items()}
    told = describe(Settings, {"KITE_ENV_FILE": "/dev/null", "KITE_SECRET": "s" * 32} | own)
    assert told.faults == ()
    return {text.partition(":")[0].removeprefix("KITE_PROVISIONER_") for text in told.lacking}


def test_the_defaults_install_nothing_and_say_so():
    assert lacking() == set(IMAGES)


@pytest.mark.parametrize(
    "image", ["milvusdb/milvus", "milvusdb/milvus:v2.6.25", "m@sha256:00", GOOD, f"-x{GOOD}"]
)
@pytest.mark.parametrize("name", IMAGES)
def test_an_image_is_pinned(name, image):
    assert lacking(**IMAGES) == set()
    assert lacking(**IMAGES | {name: image}) == {name}


@pytest.mark.parametrize("version", ["2.6.10", "2.6.25", "2.7.0", "3.0.0", "2.5.27", "2.5.99"])
def test_a_version_without_the_known_holes_will_do(version):
    assert lacking(**IMAGES, MILVUS_VERSION=version) == set()


@pytest.mark.parametrize("version", ["2.6.9", "2.5.26", "2.4.99", "v2.6.10", "2.6", "latest"])
def test_another_version_will_not(version):
    assert lacking(**IMAGES, MILVUS_VERSION=version) == {"MILVUS_VERSION"}


def test_the_wheel_needs_all_three():
    assert lacking(**WHEEL) == set()
    assert lacking(INSTALL_METHOD="wheel") == set(WHEEL) - {"INSTALL_METHOD"}
    for name, value in {
        "ALLOW_INSECURE_WHEEL": "false",
        "ARTIFACT_URL": "ftp://x/y",
        "ARTIFACT_SHA256": "A" * 64,
    }.items():
        assert lacking(**WHEEL | {name: value}) == {name}


def test_the_role_asks_for_the_same():
    role = yaml.safe_load(ROLE.read_text())
    assert role["milvus_pinned"] == PINNED
    wheel = " ".join(role["milvus_conditions"]["wheel"])
    assert f"match('{URL}')" in wheel
    assert f"match('{SHA256}')" in wheel
    container = " ".join(role["milvus_conditions"]["container"])
    assert all(f"version('{one}'" in container for one in ("2.6.10", "2.5.27", "2.6"))
