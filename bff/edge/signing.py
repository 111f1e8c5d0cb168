r"""How a portal vouches for a user: an HMAC over everything the request says.

A portal sends two headers: `username` and

    kite-signature: v1 portal=<id>, time=<unix seconds>, nonce=<16-64 of A-Z a-z 0-9 _ ->, mac=<hex>

where mac = HMAC-SHA-256(key, text) in lower-case hex and text is these lines joined by "\n":

    kite-signature-v1
    <portal id>
    <method, upper case>
    <path with query, as sent>
    <username>
    <time>
    <nonce>
    <SHA-256 of the body in lower-case hex; of nothing when there is no body>

Every request needs a nonce of its own. Standard library only, so a portal may take this file over.
"""

import hashlib
import hmac
import re
import secrets
import time
from dataclasses import dataclass

HEADER = "kite-signature"
_FORM = re.compile(
    r"v1 portal=(?P<portal>[A-Za-z0-9_.-]{1,64}), time=(?P<time>[0-9]{1,12}), "
    r"nonce=(?P<nonce>[A-Za-z0-9_-]{16,64}), mac=(?P<mac>[0-9a-f]{64})\Z"
)


@dataclass(frozen=True, slots=True)
class Signed:
    """What is signed: one request by one user."""

    method: str
    target: str
    username: str
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Signature:
    portal: str
    time: int
    nonce: str
    mac: str


def mac(key: bytes, signed: Signed, *, portal: str, at: int, nonce: str) -> str:
    lines = (
        "kite-signature-v1",
        portal,
        signed.method.upper(),
        signed.target,
        signed.username,
        str(at),
        nonce,
        hashlib.sha256(signed.body).hexdigest(),
    )
    return hmac.new(key, "\n".join(lines).encode(), hashlib.sha256).hexdigest()


def sign(
    key: bytes, signed: Signed, *, portal: str, at: int | None = None, nonce: str = ""
) -> dict[str, str]:
    """The two headers that a portal sends with the request."""
    moment = int(time.time()) if at is None else at
    nonce = nonce or secrets.token_urlsafe(18)
    proof = mac(key, signed, portal=portal, at=moment, nonce=nonce)
    return {
        "username": signed.username,
        HEADER: f"v1 portal={portal}, time={moment}, nonce={nonce}, mac={proof}",
    }


def read(header: str) -> Signature | None:
    """The signature in a header, or None when it has another form."""
    found = _FORM.match(header)
    if not found:
        return None
    return Signature(found["portal"], int(found["time"]), found["nonce"], found["mac"])


def fits(key: bytes, signature: Signature, signed: Signed) -> bool:
    """Whether the holder of `key` signed exactly this request."""
    made = mac(key, signed, portal=signature.portal, at=signature.time, nonce=signature.nonce)
    return hmac.compare_digest(made, signature.mac)
