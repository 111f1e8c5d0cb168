"""What must be true of thousands of event streams."""

from __future__ import annotations

from http import HTTPStatus

from tests.overload.streams import LEFT_FILES, Figures

KIB_PER_STREAM, KIB_PER_UNREAD = 48, 160
"""Of the BFF's memory, for a stream with nothing to tell, and at most; measured: 22 and 80."""
AGAIN, AGAIN_MIB = 1.1, 8
"""How much more than the first round the second may take: the allocator's rounding."""
REFUSED = {
    "a user's stream": (HTTPStatus.TOO_MANY_REQUESTS, "TOO_MANY_AT_ONCE", "1"),
    "a stream": (HTTPStatus.SERVICE_UNAVAILABLE, "BUSY", "1"),
    "a connection": (HTTPStatus.SERVICE_UNAVAILABLE, "BUSY", "1"),
    "a stream afterwards": (HTTPStatus.OK, "", ""),
}
DROPPED = "READER_TOO_SLOW"


def faults(seen: Figures) -> list[str]:
    """Sentences; none = all is well."""
    return [*_streams(seen), *_room(seen)]


def _streams(seen: Figures) -> list[str]:
    found = [
        f"{what} too many was answered {seen.refused.get(what)}, not {wanted}"
        for what, wanted in REFUSED.items()
        if seen.refused.get(what) != wanted
    ]
    if seen.opened != 2 * seen.streams:
        found.append(f"{seen.opened} streams were opened, not twice {seen.streams}")
    if set(seen.asked) != {HTTPStatus.OK}:
        found.append(f"requests meanwhile were answered {dict(seen.asked)}")
    if seen.ends.total() != 2 * seen.streams - seen.readers or set(seen.ends) - {DROPPED, "cut"}:
        found.append(f"streams that nobody read ended {dict(seen.ends)}")
    if not seen.ends[DROPPED]:
        found.append("nobody who did not read was told why it was dropped")
    if not seen.readers or seen.whole != seen.readers:
        found.append(f"{seen.whole} of {seen.readers} readers were told all and kept")
    return found


def _room(seen: Figures) -> list[str]:
    found = []
    mib, before = seen.mib, seen.mib["before"]
    for what, most in (("first open", KIB_PER_STREAM), ("first most", KIB_PER_UNREAD)):
        if (each := (mib[what] - before) * 1024 / seen.streams) > most:
            found.append(f"a stream took {each:.0f} KiB ({what}), more than {most}")
    if mib["second most"] > mib["first most"] * AGAIN + AGAIN_MIB:
        found.append(f"memory was not given back: {mib}")
    if seen.files["after"] > seen.files["before"] + LEFT_FILES:
        found.append(f"files were left open: {seen.files}")
    return found
