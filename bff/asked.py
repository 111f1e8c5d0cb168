"""What a request asks for beside its body: waits, pages, revisions, keys. Pure.

Query parameters are strict (an unknown or unfit one is refused); `Prefer` is a wish (RFC 7240), so
what is not understood there is passed over.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kite.errors import Conflict, InvalidRequest

LONGEST_WAIT_SECONDS = 60
DEFAULT_PAGE, LARGEST_PAGE = 50, 250
_KEY = re.compile(r"[\x21-\x7e]{1,255}\Z")
_WHOLE = re.compile(r"[0-9]{1,18}\Z")
_TOKEN = re.compile(r"[A-Za-z0-9_=.~:-]{0,512}\Z")
_TAG = re.compile(r'"([0-9]{1,18})"\Z')
_PREFER_WAIT = re.compile(r"\s*wait\s*=\s*\"?([0-9]{1,9})\"?\s*(?:;|\Z)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Wait:
    """How long the caller would have the answer held; `preferred` = said by Prefer."""

    seconds: int = 0
    preferred: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    size: int
    token: str


def wait(
    query: Mapping[str, str], prefer: Sequence[str], *, most: int = LONGEST_WAIT_SECONDS
) -> Wait:
    """Seconds to hold the answer, `most` at most; the query counts before the header.

    Raises:
        InvalidRequest: INVALID_WAIT when the query parameter is no whole number up to 60.
    """
    if "wait" in query:
        given = _number(query["wait"], 0, LONGEST_WAIT_SECONDS, "wait", "INVALID_WAIT")
        return Wait(min(given, most))
    for wish in ",".join(prefer).split(","):
        if found := _PREFER_WAIT.match(wish):
            return Wait(min(int(found[1]), most), preferred=True)
    return Wait()


def page(query: Mapping[str, str]) -> Page:
    """Which page of a listing.

    Raises:
        InvalidRequest: INVALID_PAGE.
    """
    given = query.get("page-size", str(DEFAULT_PAGE))
    size = _number(given, 1, LARGEST_PAGE, "page-size", "INVALID_PAGE")
    token = query.get("page-token", "")
    if not _TOKEN.match(token):
        raise InvalidRequest(
            "page-token is not one that a listing gave", reason="INVALID_PAGE", field="/page-token"
        )
    return Page(size, token)


def after(query: Mapping[str, str], last_event_id: str) -> int:
    """Number of the last event the caller knows; a foreign Last-Event-ID counts as none.

    Raises:
        InvalidRequest: INVALID_PAGE.
    """
    if "after" in query:
        return _number(query["after"], 0, 2**62, "after", "INVALID_PAGE")
    return int(last_event_id) if _WHOLE.match(last_event_id) else 0


def revision(if_match: Sequence[str]) -> int:
    """The revision the caller insists on; 0 = any.

    Raises:
        Conflict: REVISION_MISMATCH for a tag that Kite never gave, so it cannot be the present one.
        InvalidRequest: INVALID_IF_MATCH for more than one tag.
    """
    tags = [tag.strip() for line in if_match for tag in line.split(",") if tag.strip()]
    if not tags or tags == ["*"]:
        return 0
    if len(tags) > 1:
        raise InvalidRequest("give one tag in If-Match", reason="INVALID_IF_MATCH")
    found = _TAG.match(tags[0])
    if not found or int(found[1]) == 0:
        raise mismatch()
    return int(found[1])


def mismatch() -> Conflict:
    return Conflict(
        "this is not the present revision; read again and decide anew", reason="REVISION_MISMATCH"
    )


def known_already(tag: str, if_none_match: Sequence[str]) -> bool:
    """Whether the caller holds this very revision (weak comparison, RFC 9110 13.1.2)."""
    tags = {t.strip().removeprefix("W/") for line in if_none_match for t in line.split(",")}
    return "*" in tags or tag in tags


def idempotency_key(given: Sequence[str]) -> str:
    """The caller's key, or empty.

    Raises:
        InvalidRequest: INVALID_IDEMPOTENCY_KEY.
    """
    if not given:
        return ""
    if len(given) > 1 or not _KEY.match(given[0]):
        raise InvalidRequest(
            "Idempotency-Key must be given once, as 1 to 255 printable ASCII characters "
            "without blanks",
            reason="INVALID_IDEMPOTENCY_KEY",
        )
    return given[0]


def known_parameters(query: Sequence[str], known: frozenset[str]) -> None:
    """Refuse what a route does not know, and what is given twice.

    Raises:
        InvalidRequest: UNKNOWN_PARAMETER, DUPLICATE_PARAMETER.
    """
    if any(key not in known for key in query):
        accepted = f"it knows {', '.join(sorted(known))}" if known else "it knows none"
        raise InvalidRequest(
            f"unknown query parameter on this route; {accepted}", reason="UNKNOWN_PARAMETER"
        )
    if len(set(query)) < len(query):
        raise InvalidRequest("a query parameter is given twice", reason="DUPLICATE_PARAMETER")


def _number(text: str, least: int, most: int, name: str, reason: str) -> int:
    if not _WHOLE.match(text) or not least <= int(text) <= most:
        raise InvalidRequest(
            f"{name} must be a whole number from {least} to {most}", reason=reason, field=f"/{name}"
        )
    return int(text)
