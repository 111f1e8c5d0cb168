from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.cloud_config import HostKey, UserData, UserDataRefused, read

KEYS = """#cloud-config
ssh_keys:
  ed25519_private: |
    -----BEGIN OPENSSH PRIVATE KEY-----
    abc
    -----END OPENSSH PRIVATE KEY-----
  ed25519_public: ssh-ed25519 AAAA kite
ssh_authorized_keys:
  - ssh-ed25519 BBBB me
"""


def test_planted_keys_are_read_whole_and_end_with_a_newline():
    found = read(KEYS)

    key = HostKey(
        "ed25519",
        "-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n-----END OPENSSH PRIVATE KEY-----\n",
        "ssh-ed25519 AAAA kite\n",
    )
    assert found == UserData(host_keys=(key,), authorized_keys=("ssh-ed25519 BBBB me",))


def test_a_private_key_is_never_shown():
    assert "abc" not in repr(read(KEYS))


@pytest.mark.parametrize("text", [None, "", "  \n", "#cloud-config\n", "#cloud-config\n{}\n"])
def test_nothing_asked_is_nothing_done(text):
    assert read(text) == UserData()


def test_a_script_is_kept_as_it_is():
    assert read("#!/bin/sh\necho hi\n") == UserData(script="#!/bin/sh\necho hi\n")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("Content-Type: multipart/mixed\n", "Content-Type"),
        ("#cloud-config\n- a\n", "keys and values"),
        ("#cloud-config\na: [\n", "not YAML"),
        ("#cloud-config\nruncmd: [ls]\npackages: [x]\n", "packages, runcmd"),
        ("#cloud-config\nssh_keys: [a]\n", "ssh_keys holds"),
        ("#cloud-config\nssh_keys: {dsa_private: x}\n", "dsa_private"),
        ("#cloud-config\nssh_keys: {rsa_private: x}\n", "both rsa_private and rsa_public"),
        ("#cloud-config\nssh_keys: {rsa_private: x, rsa_public: 1}\n", "both rsa_private"),
        ("#cloud-config\nssh_authorized_keys: abc\n", "ssh_authorized_keys is a list"),
        ("#cloud-config\nssh_authorized_keys: [1]\n", "ssh_authorized_keys is a list"),
    ],
)
def test_what_is_not_understood_is_refused_by_name(text, named):
    with pytest.raises(UserDataRefused, match=named):
        read(text)


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text):
    for candidate in (text, f"#cloud-config\n{text}"):
        try:
            found = read(candidate)
        except UserDataRefused:
            continue
        assert isinstance(found, UserData)
