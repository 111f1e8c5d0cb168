"""Secrets derived from the one install secret, so that none is kept at rest.

Every derived secret is HKDF-SHA256 (RFC 5869) over the install secret with a purpose and the ids
it belongs to; losing the database discloses nothing, and any process of the install can derive
what it needs after a crash.
"""

import base64
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MIN_SECRET_BYTES = 16


@dataclass(frozen=True, slots=True)
class SshKey:
    """An Ed25519 key in OpenSSH's own formats."""

    private: bytes
    public: str


def derive(secret: str, purpose: str, *ids: str, length: int = 32) -> bytes:
    """Bytes that only holders of `secret` can make; `ids` must not contain a vertical bar."""
    info = "|".join(("kite", purpose, *ids)).encode()
    return HKDF(algorithm=hashes.SHA256(), length=length, salt=None, info=info).derive(
        secret.encode()
    )


def password(secret: str, cluster_id: str, *, version: int = 1) -> str:
    """Milvus root password of a cluster: 24 characters, URL-safe."""
    raw = derive(secret, "milvus-root", cluster_id, str(version), length=18)
    return base64.urlsafe_b64encode(raw).decode()


def ssh_key(secret: str, purpose: str, *ids: str) -> SshKey:
    """Deterministic SSH key: `login` per install, `host` per node token."""
    key = Ed25519PrivateKey.from_private_bytes(derive(secret, f"ssh-{purpose}", *ids))
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.OpenSSH,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )
    return SshKey(private, public.decode())
