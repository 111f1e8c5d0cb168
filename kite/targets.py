"""host:port as settings hold it: where a service listens, and where its callers find it. Pure."""

import re
from ipaddress import IPv4Address

MOST_PORT = 65_535
_PAIR = re.compile(r"(?:\[[0-9A-Fa-f:.]+(?:%\w+)?\]|[A-Za-z0-9._-]+):([0-9]{1,5})", re.ASCII)
_DNS = re.compile(r"dns:(?://[^/\s]*/)?(\S+)")


def listening(text: str) -> str:
    """`text` when a service can listen there: host:port, port 0 = any. Raises ValueError."""
    return _pair(text, least=0, wish="host:port, for example 127.0.0.1:8080")


def target(text: str) -> str:
    """`text` when callers can be sent there: host:port or dns:///name:port. Raises ValueError."""
    named = _DNS.fullmatch(text)
    wish = "host:port, for example 127.0.0.1:50052, or dns:///name:port"
    _pair(named[1] if named else text, least=1, wish=wish)
    return text


def targets(text: str) -> str:
    """`text` when it is one target, or several as IP:port,IP:port (IPv4). Raises ValueError."""
    if "," not in text:
        return target(text)
    wish = "several as IP:port,IP:port without blanks, for example 10.0.0.1:50051,10.0.0.2:50051"
    for one in text.split(","):
        _pair(one, least=1, wish=wish)
        try:
            IPv4Address(one.rpartition(":")[0])
        except ValueError:
            raise ValueError(f"expected {wish}") from None
    return text


def _pair(text: str, *, least: int, wish: str) -> str:
    found = _PAIR.fullmatch(text)
    if found is None or not least <= int(found[1]) <= MOST_PORT:
        raise ValueError(f"expected {wish}; an IPv6 address stands in [], ports end at {MOST_PORT}")
    return text
