"""The inventory: only checked values get in, and no string is ever a template."""

from dataclasses import replace

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import is_trusted_as_template, trust_as_template
from hypothesis import given
from hypothesis import strategies as st

from provisioner.install.inventory import BadJob, as_yaml, check, inventory, known_hosts
from provisioner.install.job import (
    ArtifactKind,
    InstallHost,
    InstallJob,
    InstallSettings,
    Method,
)

KEY = "ssh-ed25519 " + "A" * 68
HOST = InstallHost("tok-1", "i-0123456789abcdef0", "10.0.0.4", "master", KEY)
JOB = InstallJob("job", (HOST,), b"key", {"disk_size_gib": 50}, {"milvus_root_password": "s3cret"})
SETTINGS = InstallSettings()
PAYLOAD = "{{ lookup('ansible.builtin.pipe', 'id') }}"


def read(text):
    """As Ansible reads an inventory file: every string in it may be a template, but for ours."""
    return DataLoader().load(trust_as_template(text))


def strings(tree):
    for value in tree.values():
        if isinstance(value, dict):
            yield from strings(value)
        elif isinstance(value, str):
            yield value


def test_this_test_would_see_a_template():
    (value,) = strings(read('{"a": "{{ 1 }}"}'))

    assert is_trusted_as_template(value)


def test_a_good_job_passes():
    check(JOB, SETTINGS)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"token": PAYLOAD}, "token"),
        ({"token": ""}, "token"),
        ({"token": "a b"}, "token"),
        ({"token": "a\n"}, "token"),
        ({"token": "-oProxyCommand=id"}, "token"),
        ({"instance_id": PAYLOAD}, "instance id"),
        ({"instance_id": "i-12"}, "instance id"),
        ({"address": PAYLOAD}, "address"),
        ({"address": "10.0.0.4 -oProxyCommand=id"}, "address"),
        ({"address": "host.example.org"}, "address"),
        ({"role": "proxy"}, "role"),
        ({"host_key": "ssh-ed25519 short"}, "host key"),
        ({"host_key": KEY + "\n* " + KEY}, "host key"),
    ],
)
def test_a_host_that_is_not_what_it_claims_is_refused(change, word):
    with pytest.raises(BadJob, match=word):
        check(replace(JOB, hosts=(replace(HOST, **change),)), SETTINGS)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"hosts": ()}, "no hosts"),
        ({"hosts": (HOST, HOST)}, "same token"),
        ({"variables": {"ansible_ssh_common_args": "x"}}, "variable name"),
        ({"variables": {"seal_connect_seconds": 9}}, "variable name"),
        ({"variables": {"milvus_x": "line\nbreak"}}, "value of milvus_x"),
        ({"secrets": {"../key": "x"}}, "secret name"),
        ({"secrets": {"key": "x"}}, "secret name"),
    ],
)
def test_a_job_that_reaches_beyond_its_place_is_refused(change, word):
    with pytest.raises(BadJob, match=word):
        check(replace(JOB, **change), SETTINGS)


@pytest.mark.parametrize("change", [{"ssh_user": "root -o x"}, {"ssh_port": 0}])
def test_settings_are_checked_too(change):
    with pytest.raises(BadJob, match="ssh_"):
        check(JOB, replace(SETTINGS, **change))


def test_the_inventory_holds_what_the_roles_read():
    tree = read(as_yaml(inventory(JOB, SETTINGS, "/dev/shm/job")))["milvus"]

    assert tree["children"]["master"]["hosts"] == {
        "tok-1": {"ansible_host": "10.0.0.4", "kite_instance_id": "i-0123456789abcdef0"}
    }
    assert tree["children"]["worker"]["hosts"] == {}
    assert tree["vars"]["disk_size_gib"] == 50
    assert tree["vars"]["milvus_root_password_file"] == "/dev/shm/job/milvus_root_password"
    assert "s3cret" not in str(tree)


def test_host_keys_are_always_checked():
    ssh = inventory(JOB, SETTINGS, "/x")["milvus"]["vars"]["ansible_ssh_common_args"]

    assert "StrictHostKeyChecking=yes" in ssh
    assert "UserKnownHostsFile=/x/known_hosts" in ssh


def test_each_method_gets_its_own_variables():
    wheel = replace(
        SETTINGS, method=Method.WHEEL, artifact_kind=ArtifactKind.TREE, artifact_url="http://a/t"
    )

    of_wheel = inventory(JOB, wheel, "/x")["milvus"]["vars"]
    pinned = replace(JOB, variables={**JOB.variables, "milvus_image": "r/m@sha256:0"})
    of_container = inventory(pinned, SETTINGS, "/x")["milvus"]["vars"]

    assert of_wheel["milvus_artifact_url"] == "http://a/t"
    assert of_wheel["milvus_allow_insecure_wheel"] is False
    assert "milvus_image" not in of_wheel
    assert of_container["milvus_image"] == "r/m@sha256:0"
    assert "milvus_allow_insecure_wheel" not in of_container
    assert "milvus_version" not in of_container, "the playbooks' own version holds"


def test_settings_cannot_be_overruled_where_ssh_is_concerned():
    forged = replace(JOB, variables={"ansible_user": "root"})

    assert inventory(forged, SETTINGS, "/x")["milvus"]["vars"]["ansible_user"] == "ubuntu"


@pytest.mark.parametrize(("port", "name"), [(22, "10.0.0.4"), (2222, "[10.0.0.4]:2222")])
def test_known_hosts_are_written_as_ssh_looks_them_up(port, name):
    assert known_hosts(JOB, replace(SETTINGS, ssh_port=port)) == f"{name} {KEY}\n"


LEAVES = st.text() | st.integers() | st.booleans()
KEYS = st.text(max_size=12)  # names; YAML writes keys beyond 128 characters in another form
TREES = st.recursive(
    st.dictionaries(KEYS, LEAVES, max_size=4),
    lambda inner: st.dictionaries(KEYS, inner | LEAVES, max_size=3),
    max_leaves=12,
)


@pytest.mark.parametrize("text", ["0" * 64, "1e5", "true", "null", "~", "", "0x1f", "2026-11-23"])
def test_text_that_looks_like_something_else_stays_text(text):
    (value,) = strings(read(as_yaml({"a": text})))

    assert value == text


@given(TREES)
def test_whatever_goes_in_comes_out_the_same_and_literal(tree):
    read_back = read(as_yaml(tree)) or {}

    assert read_back == tree
    assert not any(is_trusted_as_template(text) for text in strings(read_back))
    assert all(isinstance(read_back[key], type(value)) for key, value in tree.items())


@given(st.text())
def test_a_payload_in_any_field_is_refused_or_literal(text):
    job = replace(JOB, hosts=(replace(HOST, token=text),), variables={"milvus_root_path": text})
    try:
        check(job, SETTINGS)
    except BadJob:
        return
    tree = read(as_yaml(inventory(job, SETTINGS, "/x")))
    assert not any(is_trusted_as_template(value) for value in strings(tree))
