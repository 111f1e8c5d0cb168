"""Everything secret derives from one secret, and nothing derives twice."""

import shutil
import subprocess

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_ssh_private_key, load_ssh_public_key
from hypothesis import given
from hypothesis import strategies as st

from kite import secrets

SECRET = "a secret of an install"
IDS = st.lists(st.text("abc0", min_size=1, max_size=4), min_size=1, max_size=3)
PURPOSES = st.sampled_from(["ssh-login", "ssh-host", "milvus-root"])


@given(PURPOSES, IDS, PURPOSES, IDS)
def test_same_in_same_out_and_different_in_different_out(purpose, ids, other, other_ids):
    first = secrets.derive(SECRET, purpose, *ids)
    assert first == secrets.derive(SECRET, purpose, *ids)
    second = secrets.derive(SECRET, other, *other_ids)
    assert (first == second) == ((purpose, ids) == (other, other_ids))


def test_another_install_secret_gives_other_secrets():
    assert secrets.derive(SECRET, "x", "1") != secrets.derive(SECRET + "!", "x", "1")


def test_length_is_as_asked():
    assert len(secrets.derive(SECRET, "x", length=18)) == 18
    assert len(secrets.derive(SECRET, "x")) == 32


def test_passwords_are_distinct_per_cluster_and_version():
    made = {
        secrets.password(SECRET, cluster, version=version)
        for cluster in ("c1", "c2")
        for version in (1, 2)
    }
    assert len(made) == 4
    assert all(len(one) == 24 for one in made)
    assert secrets.password(SECRET, "c1") == secrets.password(SECRET, "c1", version=1)


def test_passwords_need_no_escaping_in_urls_and_shells():
    for number in range(200):
        assert set(secrets.password(SECRET, f"c{number}")) <= set(
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        )


def test_ssh_keys_are_what_openssh_writes():
    key = secrets.ssh_key(SECRET, "login", "kite1")
    private = load_ssh_private_key(key.private, password=None)
    assert isinstance(private, Ed25519PrivateKey)
    assert key.public.startswith("ssh-ed25519 ")
    public = load_ssh_public_key(key.public.encode())
    assert private.public_key() == public


def test_ssh_keys_are_one_per_purpose_and_id():
    keys = {
        secrets.ssh_key(SECRET, purpose, name).public
        for purpose in ("login", "host")
        for name in ("a", "b")
    }
    assert len(keys) == 4
    assert secrets.ssh_key(SECRET, "host", "a").public in keys


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="OpenSSH is not installed")
def test_openssh_itself_reads_the_key(tmp_path):
    key = secrets.ssh_key(SECRET, "host", "token")
    file = tmp_path / "key"
    file.write_bytes(key.private)
    file.chmod(0o600)
    told = subprocess.run(
        ["ssh-keygen", "-y", "-f", str(file)], capture_output=True, text=True, check=True
    )
    assert told.stdout.split()[:2] == key.public.split()[:2]
