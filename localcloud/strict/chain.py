"""All rules in the order they are asked, each by its name, each switchable."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from localcloud.strict.call import Call, Reply
from localcloud.strict.cloud import Cloud
from localcloud.strict.rule import EVERY, Rule


def every_rule() -> list[Rule]:
    """Fresh rules: cheap refusals first, then tokens, then what needs the cloud's state."""
    return []


class Chain:
    """Runs a call through the rules that are on, with moto at the end."""

    def __init__(self, rules: Sequence[Rule], cloud: Cloud) -> None:
        self._rules = {rule.name: rule for rule in rules}
        self._off: set[str] = set()
        self._cloud = cloud
        self._by_action: dict[str, list[Rule]] = {}

    @property
    def names(self) -> list[str]:
        return list(self._rules)

    def documents(self) -> dict[str, str]:
        """Rule name to the AWS document behind it."""
        return {rule.name: rule.document for rule in self._rules.values()}

    def install(self) -> None:
        for rule in self._on():
            rule.install(self._cloud)

    def remove(self) -> None:
        for rule in self._on():
            rule.remove(self._cloud)

    def reset(self) -> None:
        for rule in self._rules.values():
            rule.reset()

    @contextmanager
    def without(self, *names: str) -> Iterator[None]:
        """Switch rules off for a while: how a test shows that it depends on one."""
        self._switch(names, off=True)
        try:
            yield
        finally:
            self._switch(names, off=False)

    def _switch(self, names: Iterable[str], *, off: bool) -> None:
        with self._cloud.lock:
            for name in names:
                rule = self._rules[name]
                if off:
                    rule.remove(self._cloud)
                    self._off.add(name)
                else:
                    self._off.discard(name)
                    rule.install(self._cloud)
            self._by_action.clear()

    def _on(self) -> list[Rule]:
        return [rule for rule in self._rules.values() if rule.name not in self._off]

    def _for(self, action: str) -> list[Rule]:
        if action not in self._by_action:
            self._by_action[action] = [
                rule for rule in self._on() if action in rule.actions or rule.actions == EVERY
            ]
        return self._by_action[action]

    def run(self, call: Call, cloud: Cloud) -> Reply:
        """Ask every rule, then moto, then every rule about what happened."""
        asked = self._for(call.action)
        for rule in asked:
            answer = rule.before(call, cloud)
            if isinstance(answer, Reply):
                return answer
            call = answer
        reply = cloud.forward(call)
        if reply.code == "OK":
            for rule in asked:
                reply = rule.after(call, reply, cloud)
        return reply
