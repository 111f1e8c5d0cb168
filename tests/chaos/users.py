"""Users who create, whitelist, read and delete at random, and remember what they were told."""

import threading
from dataclasses import dataclass, field
from random import Random

from tests.chaos.portal import Portal, Unanswered

AGAIN = 0.3  # how often a name is used again
SOURCES = (*(f"192.0.2.{n}/32" for n in range(1, 9)), "198.51.100.0/24", "203.0.113.0/25")


@dataclass
class Wish:
    """What a user knows of one cluster. `lists` are whitelists that may be in force: one, when
    the last change was acknowledged."""

    name: str
    lists: list[frozenset[str]]
    there: bool | None = True
    """None = asked for or deleted without an answer."""


@dataclass
class User:
    """One user; `most` clusters at a time."""

    url: str
    name: str
    seed: str
    most: int
    milvus_type: str = "M5"
    think: float = 0.5
    wishes: dict[str, Wish] = field(default_factory=dict)
    doing: str = ""
    broken: str = ""
    acts: int = 0
    refused: list[str] = field(default_factory=list)

    def __post_init__(self):
        self.dice = Random(f"{self.seed} {self.name}")
        self.portal = Portal(self.url, self.name, timeout=10)
        self._numbers = 0

    def run(self, stop: threading.Event):
        try:
            while not stop.wait(self.dice.uniform(0.1, 2 * self.think)):
                self.step()
                self.acts += 1
        except Exception as failed:  # noqa: BLE001 - told in the end, by whoever waits for us
            self.broken = f"{self.name}: {self.doing}: {failed!r}"

    def step(self):
        there = [w for w in self.wishes.values() if w.there]
        chance = self.dice.random()
        if not there or (len(there) < self.most and chance < 0.35):
            self.create()
        elif chance < 0.6:
            self.whitelist(self.dice.choice(there))
        elif chance < 0.8:
            self.doing = "read"
            self.portal.read(self.dice.choice(there).name)
        elif len(there) > 1 or chance < 0.9:
            self.delete(self.dice.choice(there))

    def create(self):
        name = self._name()
        wish, before = Wish(name, [self._sources()], None), self.wishes.get(name)
        self.doing = f"create {wish.name}"
        self.wishes[wish.name] = wish
        open_end, repeated = False, self.portal.repeated
        for _ in range(2 if self.dice.random() < 0.3 else 1):  # a portal that says it twice
            try:
                answer = self.portal.create(wish.name, sorted(wish.lists[0]), self.milvus_type)
            except Unanswered:
                open_end = True
                continue
            # The cluster that had the name may not have gone yet.
            going = answer.status_code == 409 and answer.json()["reason"] == "CLUSTER_DELETING"
            self._expect(answer, {200, 202, 409} if before and going else {200, 202})
            wish.there = wish.there or answer.status_code in {200, 202}
        if (open_end or self.portal.repeated > repeated) and not wish.there:
            wish.there = None

    def _name(self):
        """A new one, or that of a cluster which is deleted and of which nothing is on its way."""
        over = [w.name for w in self.wishes.values() if w.there is False and len(w.lists) == 1]
        if over and self.dice.random() < AGAIN:
            return self.dice.choice(over)
        self._numbers += 1
        return f"cats-{self._numbers}"

    def whitelist(self, wish):
        self.doing = f"whitelist {wish.name}"
        wanted = self._sources()
        wish.lists.append(wanted)
        try:
            answer = self.portal.whitelist(wish.name, sorted(wanted))
        except Unanswered:
            return
        self._expect(answer, {200})
        if answer.status_code == 200:
            wish.lists = [wanted]

    def delete(self, wish):
        self.doing = f"delete {wish.name}"
        wish.there = None
        try:
            answer = self.portal.delete(wish.name)
        except Unanswered:
            return
        self._expect(answer, {200, 202, 404})
        if answer.status_code in {200, 202, 404}:
            wish.there = False

    def delete_all(self):
        for wish in self.wishes.values():
            if wish.there is not False:
                self.delete(wish)

    def _expect(self, answer, fine):
        if answer.status_code not in fine:
            self.refused.append(
                f"{self.name}: {self.doing}: {answer.status_code} {answer.text[:200]}"
            )

    def _sources(self):
        return frozenset(self.dice.sample(SOURCES, self.dice.randint(1, 4)))
