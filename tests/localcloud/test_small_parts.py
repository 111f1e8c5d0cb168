"""The small servers and tools by themselves, on loopback."""

from __future__ import annotations

import hashlib
import socket
import urllib.error
import urllib.request
from ipaddress import IPv4Address, IPv4Network

import pytest
from dnslib import DNSRecord

from localcloud import artifact
from localcloud.artifact import Artifact
from localcloud.artifact_server import ArtifactServer
from localcloud.dns import DnsServer
from localcloud.tool import ToolFailed, insist, run

LOOPBACK = IPv4Address("127.0.0.1")


def test_dns_answers_over_udp_and_ignores_noise():
    server = DnsServer([LOOPBACK], [IPv4Network("198.18.88.0/24")], port=0)
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(10)
            asking.connect(("127.0.0.1", server.ports[0]))
            asking.send(b"noise")
            asking.send(DNSRecord.question("ec2-198-18-88-7.compute-1.amazonaws.com").pack())
            reply = DNSRecord.parse(asking.recv(512))
    finally:
        server.stop()

    assert str(reply.a.rdata) == "198.18.88.7"


def test_dns_that_gets_only_half_its_addresses_gives_them_back():
    ours = [IPv4Network("198.18.88.0/24")]
    with pytest.raises(OSError, match="assign"):
        DnsServer([LOOPBACK, IPv4Address("192.0.2.1")], ours, port=0)


@pytest.fixture
def files(tmp_path):
    path = tmp_path / "file.whl"
    path.write_bytes(b"wheel")
    wheel = Artifact(path, hashlib.sha256(b"wheel").hexdigest())
    server = ArtifactServer([wheel], LOOPBACK)
    yield server.url(wheel)
    server.stop()


def test_the_artifact_and_nothing_else_is_served(files):
    with urllib.request.urlopen(files, timeout=10) as answer:
        assert answer.read() == b"wheel"
    head = urllib.request.Request(files, method="HEAD")
    with urllib.request.urlopen(head, timeout=10) as answer:
        assert (answer.headers["Content-Length"], answer.read()) == ("5", b"")
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"{files}/../../etc/passwd", timeout=10)


def test_a_wheel_with_another_digest_is_fetched_again_and_refused(tmp_path, monkeypatch):
    name, _ = artifact.WHEELS["x86_64"]
    place = tmp_path / "artifacts" / name
    place.parent.mkdir()
    place.write_bytes(b"spoiled")

    def fetch(*argv, **_):
        folder = argv[argv.index("--dest") + 1]
        with open(f"{folder}/{name}", "wb") as file:  # noqa: PTH123
            file.write(b"spoiled too")

    monkeypatch.setattr(artifact.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(artifact, "run", fetch)
    with pytest.raises(artifact.NoArtifact, match="SHA-256"):
        artifact.ensure(tmp_path, lambda _: None)
    assert place.read_bytes() == b"spoiled"


def test_no_index_is_one_sentence(tmp_path, monkeypatch):
    def fetch(*argv, **_):
        raise ToolFailed(argv, 1, "no network")

    monkeypatch.setattr(artifact.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(artifact, "run", fetch)
    with pytest.raises(artifact.NoArtifact, match=r"Cannot fetch milvus==2.3.5: .*no network"):
        artifact.ensure(tmp_path, lambda _: None)


def test_a_machine_without_a_wheel_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(artifact.platform, "machine", lambda: "riscv64")
    with pytest.raises(artifact.NoArtifact, match="riscv64"):
        artifact.ensure(tmp_path, lambda _: None)


def test_a_tool_that_fails_says_its_last_words():
    with pytest.raises(ToolFailed, match="ended with 3: last"):
        run("sh", "-c", "echo first >&2; echo last >&2; exit 3")
    with pytest.raises(ToolFailed, match="it said nothing"):
        run("false")
    with pytest.raises(ToolFailed, match="not installed"):
        run("no-such-tool-here")
    with pytest.raises(ToolFailed, match="no end after 0 seconds"):
        run("sleep", "5", seconds=0.01)


def test_insisting_ends_with_success_or_the_last_refusal():
    left = [1, 2]

    def act():
        if left:
            left.pop()
            raise OSError("busy")

    insist(act, pause=0)
    assert not left

    def never():
        raise OSError("always busy")

    with pytest.raises(OSError, match="always busy"):
        insist(never, tries=3, pause=0)
