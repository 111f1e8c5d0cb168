"""The control paths under /_kite/: faults, calls, knobs, rules and instance states as JSON.

Answered to loopback and to the machine's own addresses only; a pretend host gets 403.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from typing import Any
from urllib.parse import parse_qsl

from localcloud.strict.call import Reply
from localcloud.strict.calls import CallLog
from localcloud.strict.faults import Fault, FaultScript, Kind
from localcloud.strict.listen import Incoming

_JSON = (("Content-Type", "application/json"),)
_FIELDS = frozenset(f.name for f in fields(Fault))


class Unacceptable(ValueError):
    """What was sent to a control path cannot be used; the text says why."""


def fault_from(value: Mapping[str, Any]) -> Fault:
    """A fault from JSON; keys are those of Fault with dashes or underscores."""
    named = {key.replace("-", "_"): inner for key, inner in value.items()}
    unknown = set(named) - _FIELDS
    if unknown:
        raise Unacceptable(f"unknown fields {sorted(unknown)}; known are {sorted(_FIELDS)}")
    try:
        kind = Kind(named.pop("kind", ""))
    except ValueError as error:
        raise Unacceptable(f"kind must be one of {[k.value for k in Kind]}") from error
    for name, given in named.items():
        wanted = type(getattr(Fault(kind), name))
        if not isinstance(given, (int, float) if wanted is float else wanted):
            raise Unacceptable(f"{name} must be of type {wanted.__name__}, not {given!r}")
    return Fault(kind=kind, **named)


class Control:
    """Routes of the control paths."""

    def __init__(
        self,
        *,
        faults: FaultScript,
        calls: CallLog,
        rules: Callable[[], dict[str, str]],
        own: frozenset[str],
        hands: Mapping[str, Callable[[Mapping[str, Any]], None]],
        knobs: Callable[[Mapping[str, Any]], dict[str, Any]],
    ) -> None:
        self._faults = faults
        self._calls = calls
        self._rules = rules
        self._own = own
        self._hands = hands
        self._knobs = knobs

    def __call__(self, incoming: Incoming) -> Reply:
        if not incoming.peer.startswith("127.") and incoming.peer not in self._own:
            return _reply(403, {"error": "control paths answer this machine only"})
        try:
            status, value = self._route(incoming)
        except (Unacceptable, json.JSONDecodeError, TypeError, ValueError) as error:
            return _reply(400, {"error": str(error)})
        return _reply(status, value)

    def _route(self, incoming: Incoming) -> tuple[int, Any]:  # noqa: PLR0911 - a table of routes
        name = incoming.path.removeprefix("/_kite/").rstrip("/")
        match incoming.method, name:
            case "GET", "faults":
                return 200, self._faults_now()
            case "POST", "faults":
                return 200, {"numbers": self._arm(json.loads(incoming.body))}
            case "DELETE", "faults":
                self._disarm(dict(parse_qsl(incoming.query)))
                return 200, {}
            case "GET", "calls":
                return 200, self._calls_now(dict(parse_qsl(incoming.query)))
            case "DELETE", "calls":
                self._calls.clear()
                return 200, {}
            case (("GET" | "POST"), "knobs"):
                return 200, self._knobs(json.loads(incoming.body or b"{}"))
            case "GET", "rules":
                return 200, self._rules()
            case "POST", hand if hand in self._hands:
                self._hands[hand](json.loads(incoming.body or b"{}"))
                return 200, {}
            case _:
                return 404, {"error": f"no control path {incoming.method} {incoming.path}"}

    def _arm(self, value: Any) -> list[int]:
        given = value if isinstance(value, list) else [value]
        if not all(isinstance(one, dict) for one in given):
            raise Unacceptable("a fault is an object, e.g. {'kind': 'lost-reply'}; or send a list")
        faults = [fault_from(one) for one in given]
        return [self._faults.add(fault) for fault in faults]

    def _disarm(self, query: Mapping[str, str]) -> None:
        """One fault by its number, else all."""
        if "number" in query:
            self._faults.remove(int(query["number"]))
        else:
            self._faults.clear()

    def _faults_now(self) -> list[dict[str, Any]]:
        return [
            {"number": number, "met": met, **asdict(fault)}
            for number, fault, met in self._faults.all()
        ]

    def _calls_now(self, query: Mapping[str, str]) -> dict[str, Any]:
        seen = self._calls.all(since=int(query.get("since", "0")), action=query.get("action", ""))
        return {
            "last": self._calls.last,
            "writing": self._calls.writing,
            "describing": self._calls.describing,
            "by-action": self._calls.by_action(),
            "by-code": self._calls.by_code(),
            "calls": [asdict(one) for one in seen],
        }


def _reply(status: int, value: Any) -> Reply:
    return Reply(status, json.dumps(value).encode(), "OK" if status < 400 else "control", _JSON)  # noqa: PLR2004
