"""What cannot work, or must not be run, is refused before a host is touched."""

import pytest

WHEEL = {
    "milvus_method": "wheel",
    "milvus_allow_insecure_wheel": True,
    "milvus_artifact_url": "http://10.0.0.1/milvus.whl",
    "milvus_artifact_sha256": "0" * 64,
    "milvus_root_password": "longenough",
}
DIGEST = "@sha256:" + "a" * 64
CONTAINER = {
    "milvus_method": "container",
    "milvus_version": "2.6.25",
    "milvus_image": "registry.example.org:5000/milvus" + DIGEST,
    "milvus_etcd_image": "etcd" + DIGEST,
    "milvus_root_password": "longenough",
}
SERVER = "Refuse a server that is old, unpinned or unasked for"
NAMES = "Refuse what is named in an impossible way"
PASSWORD = "Refuse to leave the root password Milvus is born with"
DISK = "Refuse a disk that is named in an impossible way"

CASES = {
    "wheel": (WHEEL, None),
    "wheel not allowed": ({**WHEEL, "milvus_allow_insecure_wheel": False}, SERVER),
    "wheel without checksum": ({**WHEEL, "milvus_artifact_sha256": ""}, SERVER),
    "wheel from a file": ({**WHEEL, "milvus_artifact_url": "file:///etc/passwd"}, SERVER),
    "container": (CONTAINER, None),
    "tag instead of digest": ({**CONTAINER, "milvus_image": "milvusdb/milvus:v2.6.25"}, SERVER),
    "etcd unpinned": ({**CONTAINER, "milvus_etcd_image": "etcd:v3.5.25"}, SERVER),
    "2.6.9": ({**CONTAINER, "milvus_version": "2.6.9"}, SERVER),
    "2.6.10": ({**CONTAINER, "milvus_version": "2.6.10"}, None),
    "2.5.26": ({**CONTAINER, "milvus_version": "2.5.26"}, SERVER),
    "2.5.27": ({**CONTAINER, "milvus_version": "2.5.27"}, None),
    "2.4.99": ({**CONTAINER, "milvus_version": "2.4.99"}, SERVER),
    "3.0.2": ({**CONTAINER, "milvus_version": "3.0.2"}, None),
    "latest": ({**CONTAINER, "milvus_version": "latest"}, SERVER),
    "no password": ({**CONTAINER, "milvus_root_password": ""}, PASSWORD),
    "born password": ({**CONTAINER, "milvus_root_password": "Milvus"}, PASSWORD),
    "password with a space": ({**CONTAINER, "milvus_root_password": "long enough"}, PASSWORD),
    "password set later": (
        {**CONTAINER, "milvus_root_password": "", "milvus_root_password_set_later": True},
        None,
    ),
    "injection by user": ({**WHEEL, "milvus_user": "x\nExecStartPre=/bin/sh"}, NAMES),
    "injection by root path": ({**WHEEL, "milvus_root_path": "a b"}, NAMES),
    "disk beside /dev": ({**WHEEL, "disk_device": "/etc/passwd"}, DISK),
    "disk by a path upwards": ({**WHEEL, "disk_device": "/dev/../etc/passwd"}, DISK),
    "volume that is none": ({**WHEEL, "disk_volume_id": "vol-x"}, DISK),
    "no data disk": ({**WHEEL, "disk_device": "none"}, None),
}

BOOK = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.import_role: {name: disk, tasks_from: preflight}
    - ansible.builtin.import_role: {name: milvus, tasks_from: preflight}
"""


def name(case):
    return case.replace(" ", "_").replace("/", "")


@pytest.fixture(scope="module")
def played(tmp_path_factory, module_play):
    book = tmp_path_factory.mktemp("book") / "preflight.yml"
    book.write_text(BOOK)
    hosts = {name(case): {"ansible_connection": "local", **v} for case, (v, _) in CASES.items()}
    hosts["a_worker"] = {"ansible_connection": "local", **WHEEL}
    inventory = {
        "all": {"children": {"milvus": {"hosts": hosts}, "worker": {"hosts": {"a_worker": {}}}}}
    }
    return module_play(book, inventory, ANSIBLE_ROLES_PATH="roles")


@pytest.mark.parametrize("case", CASES)
def test_a_case_is_refused_by_its_own_task_or_passes(played, case):
    refused_by = CASES[case][1]

    assert played.failed(name(case)) == ([refused_by] if refused_by else [])


def test_a_standalone_has_no_workers(played):
    assert played.failed("a_worker") == [NAMES]


def test_refusals_tell_what_to_do(played):
    words = played.results(name("wheel not allowed"))[SERVER]["msg"]

    assert "milvus_allow_insecure_wheel" in words
    assert "CVE-2025-64513" in words


def test_no_password_is_ever_printed(played):
    assert "longenough" not in played.text


def test_a_template_in_a_value_stays_text(module_play, tmp_path_factory, tmp_path):
    """The second wall: even a payload that got past every check is not run."""
    from provisioner.install.inventory import as_yaml

    trace = tmp_path / "was-here"
    payload = f"{{{{ lookup('ansible.builtin.pipe', 'touch {trace}') }}}}"
    book = tmp_path_factory.mktemp("book") / "literal.yml"
    book.write_text(
        "- hosts: all\n  gather_facts: false\n  tasks:\n"
        "    - ansible.builtin.debug: {var: milvus_root_path}\n"
    )
    host = {"ansible_connection": "local", "milvus_root_path": payload}

    played = module_play(book, as_yaml({"all": {"hosts": {"h": host}}}))

    assert played.code == 0, played.text
    assert next(iter(played.results("h").values()))["milvus_root_path"] == payload
    assert not trace.exists()
