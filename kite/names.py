"""Names that users choose, checked once at the edge and safe everywhere behind it.

A name that passes here holds no wildcard (EC2 filters), no Jinja or shell character (Ansible),
no operator (MongoDB) and no path or header character.
"""

import re

from kite.errors import InvalidRequest

CLUSTER_NAME_MIN, CLUSTER_NAME_MAX = 2, 63
USER_NAME_MAX = 64
_CLUSTER = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])\Z")
_USER = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.@-]{0,62}[A-Za-z0-9])?\Z")
_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
_RESERVED_PREFIXES = ("sg-", "aws-", "kite-")


def cluster_name(text: str, *, field: str = "/milvus-name") -> str:
    """Return `text` when it may name a cluster.

    Raises:
        InvalidRequest: INVALID_NAME or RESERVED_NAME, with the rule that was broken.
    """
    reserved = text.startswith((*_RESERVED_PREFIXES, "aws:", "__"))
    if reserved:
        raise InvalidRequest(
            "milvus-name must not start with sg-, aws, kite- or __; these are reserved",
            reason="RESERVED_NAME",
            field=field,
        )
    if not _CLUSTER.match(text):
        raise InvalidRequest(
            f"milvus-name must be {CLUSTER_NAME_MIN} to {CLUSTER_NAME_MAX} lower-case letters, "
            "digits or dashes, and start and end with a letter or digit",
            reason="INVALID_NAME",
            field=field,
        )
    return text


def user_name(text: str) -> str:
    """Return `text` when it may name a user; case counts (`Alice` and `alice` are two users).

    Raises:
        InvalidRequest: INVALID_USERNAME.
    """
    if not _USER.match(text):
        raise InvalidRequest(
            f"username must be 1 to {USER_NAME_MAX} ASCII letters, digits or one of _ . @ - "
            "and start and end with a letter or digit",
            reason="INVALID_USERNAME",
        )
    return text


def request_id(text: str) -> bool:
    """Whether a caller's own request id may be carried on."""
    return bool(_REQUEST_ID.match(text))
