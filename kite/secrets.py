"""Secrets derived from the one install secret, so that none is kept at rest.

Every derived secret is HKDF-SHA256 (RFC 5869) over the install secret with a purpose and the ids
it belongs to; losing the database discloses nothing, and any process of the install can derive
what it needs after a crash. The library is loaded at the first use: most services only check
settings here, and it takes as much memory as a bare Python.
"""

import base64
import struct
from dataclasses import dataclass

MIN_SECRET_BYTES = 16


@dataclass(frozen=True, slots=True)
class SshKey:
    """An Ed25519 key in OpenSSH's own formats."""

    private: bytes
    public: str


def derive(secret: str, purpose: str, *ids: str, length: int = 32) -> bytes:
    """Bytes that only holders of `secret` can make; `ids` must not contain a vertical bar."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    info = "|".join(("kite", purpose, *ids)).encode()
    return HKDF(algorithm=hashes.SHA256(), length=length, salt=None, info=info).derive(
        secret.encode()
    )


def password(secret: str, cluster_id: str, *, version: int = 1) -> str:
    """Milvus root password of a cluster: 24 characters, URL-safe."""
    raw = derive(secret, "milvus-root", cluster_id, str(version), length=18)
    return base64.urlsafe_b64encode(raw).decode()


def ssh_key(secret: str, purpose: str, *ids: str) -> SshKey:
    """Deterministic SSH key: `login` per install, `host` per node token.

    The private half is written here byte by byte (OpenSSH, PROTOCOL.key): libraries put a random
    check number into it, and a launch repeated with other user data is refused by EC2.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    seed = derive(secret, f"ssh-{purpose}", *ids)
    key = Ed25519PrivateKey.from_private_bytes(seed).public_key()
    point = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    public = key.public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    ).decode()
    return SshKey(_openssh_private(seed, point), public)


def _openssh_private(seed: bytes, point: bytes) -> bytes:
    kind = _field(b"ssh-ed25519")
    check = point[:4]
    inner = check + check + kind + _field(point) + _field(seed + point) + _field(b"")
    inner += bytes(range(1, 1 + -len(inner) % 8))
    head = b"openssh-key-v1\0" + _field(b"none") + _field(b"none") + _field(b"")
    whole = head + struct.pack(">I", 1) + _field(kind + _field(point)) + _field(inner)
    text = base64.b64encode(whole).decode()
    lines = [text[at : at + 70] for at in range(0, len(text), 70)]
    begin, end = (f"-----{word} OPENSSH PRIVATE KEY-----" for word in ("BEGIN", "END"))
    return "\n".join([begin, *lines, end, ""]).encode()


def _field(content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + content
