"""One chaos from start to end: trouble, calm, audit, everything deleted, audit again."""

import threading
import time
from collections import Counter, defaultdict
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random

from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from kite import tags
from tests.chaos import audit, cloud, grounds
from tests.chaos.hosts import Hosts
from tests.chaos.plan import Do, fault_of, plan
from tests.chaos.portal import Portal
from tests.chaos.troupe import Troupe
from tests.chaos.users import User

CALM_SECONDS = 240
USERS_SECONDS = 180
"""A user's last wish is asked for a minute, and each is asked for twice at most."""
SAMPLE_SECONDS = 5
LOOKS, MISSED = "looks at every machine", "looks that EC2 did not answer"
LATE = {"visible-after-seconds": 0.5, "tags-after-seconds": 1.5}
"""EC2 shows late what was made just now."""
DEAD_SECONDS = (0.1, 2.0)
"""How long what died stays dead."""


@dataclass(frozen=True)
class Wanted:
    seconds: int
    seed: str
    hosts: int
    users: int
    most: int
    registries: int
    provisioners: int
    folder: Path


@dataclass
class Chaos:
    wanted: Wanted
    console: Console
    counts: Counter = field(default_factory=Counter)
    launched: dict = field(default_factory=lambda: defaultdict(set))
    """Instance ids ever seen by cluster, slot and attempt."""
    faults: list = field(default_factory=list)
    """What went wrong with this program itself: its verdict is worth nothing then."""

    def __post_init__(self):
        self._dice = Random(f"chaos {self.wanted.seed}")

    def run(self):
        """Whether all was as it should be."""
        with ExitStack() as stack:
            self._raise(stack)
            try:
                with self._beside():
                    return self._told()
            except BaseException:
                self.console.print(self.troupe.tails(6), markup=False)
                raise

    def _raise(self, stack):
        wanted, folder = self.wanted, self.wanted.folder
        if wanted.hosts:
            self.cloud = stack.enter_context(grounds.hosted(folder, self.say))
            settings = grounds.hosted_settings(self.cloud.ready, folder)
        else:
            self.cloud = stack.enter_context(cloud.running(folder))
            settings = grounds.pretended_settings(self.cloud.ready, folder)
            self.cloud.control(
                "POST", "knobs", {**LATE, "visible-empty": self._dice.random() < 0.5}
            )
        self.control = settings["KITE_WHITELIST_CONTROL_CIDRS"].split(",")
        self.hosts = Hosts(self.cloud, self.counts)
        self.database = None
        if wanted.registries > 1:
            self.database = stack.enter_context(database(folder))
        self.troupe = Troupe(
            folder / "run",
            settings,
            registries=wanted.registries,
            provisioners=wanted.provisioners,
            mongodb=self.database.uri if self.database else "",
            pretend=not wanted.hosts,
        )
        stack.callback(self.troupe.stop)
        self.troupe.start_all()
        self.users = [
            User(self.troupe.url, f"user-{n}", wanted.seed, wanted.most,
                 think=2.0 if wanted.hosts else 0.4)
            for n in range(1, wanted.users + 1)
        ]  # fmt: skip
        for user in self.users:
            stack.callback(user.portal.close)

    def say(self, text):
        since = getattr(self, "began", None)
        at = time.monotonic() - since if since else 0.0
        self.console.print(f"[dim]{at:6.1f} s[/] {text}")

    # phases ---------------------------------------------------------------------------------

    def _told(self):
        self.began = time.monotonic()
        self._trouble()
        self.say("[bold]calm")
        calm = self._calm()
        good = self._audit("After the chaos: EC2 against the registry", calm)
        for user in self.users:
            user.delete_all()
        self._until(lambda: not self._documents(), "everything deleted")
        self._until(lambda: not self._left(), "nothing left in EC2")
        good &= self._audit("After everybody deleted: nothing", self._documents())
        return self._verdict(good=good)

    def _trouble(self):
        stop = threading.Event()
        work = [
            threading.Thread(target=user.run, args=(stop,), name=user.name, daemon=True)
            for user in self.users
        ]
        for thread in work:
            thread.start()
        try:
            self._disturb()
        finally:
            stop.set()
            self._soothe()
            last = time.monotonic() + USERS_SECONDS
            for thread in work:
                thread.join(max(0.0, last - time.monotonic()))
            self.faults += [f"{t.name} never ended" for t in work if t.is_alive()]

    @contextmanager
    def _beside(self):
        """The supervisor and the one who notes every machine there ever was."""
        over = threading.Event()
        work = [
            threading.Thread(target=self._tended, args=(one, over))
            for one in (self._watch, self._sample)
        ]
        for thread in work:
            thread.start()
        try:
            yield
        finally:
            over.set()
            for thread in work:
                thread.join()

    def _tended(self, work, over):
        """Let no thread end unheard."""
        try:
            work(over)
        except Exception as failed:  # noqa: BLE001 - told by the verdict
            self.faults.append(f"{work.__name__.strip('_')} ended: {failed!r}")

    def _watch(self, over):
        """What died starts again after a while."""
        while not over.wait(0.05):
            if any(not self.troupe.alive(name) for name in self.troupe.names):
                over.wait(self._dice.uniform(*DEAD_SECONDS))
                self.counts["starts after a death"] += len(self.troupe.revive())

    def _sample(self, over):
        """EC2 may fail to answer in the midst of trouble: the next look is soon."""
        while True:
            try:
                self._note_machines()
                self.counts[LOOKS] += 1
            except (BotoCoreError, ClientError):
                self.counts[MISSED] += 1
            if over.wait(SAMPLE_SECONDS):
                return

    def _note_machines(self):
        pages = self.cloud.ec2.get_paginator("describe_instances").paginate()
        for one in (i for page in pages for r in page["Reservations"] for i in r["Instances"]):
            marks = tags.unpack(one.get("Tags"))
            key = (marks.get(tags.CLUSTER), marks.get(tags.SLOT), marks.get(tags.ATTEMPT))
            if all(key):  # tags show late; the next look has them
                self.launched[key].add(one["InstanceId"])

    # trouble --------------------------------------------------------------------------------

    def _disturb(self):
        names = self.troupe.names
        todo = plan(
            self.wanted.seed, self.wanted.seconds, names,
            hosts=self.wanted.hosts, database=self.database is not None,
        )  # fmt: skip
        errands = []
        end = self.began + self.wanted.seconds
        told = self.began
        while (now := time.monotonic()) < end:
            while todo and self.began + todo[0].at <= now:
                one = todo.pop(0)
                self.say(f"[yellow]{one}")
                errands.append((now, partial(self._do, one)))
            errands = self._run(errands, now)
            if now - told > SAMPLE_SECONDS:
                told = now
                self._progress()
            time.sleep(0.02)
        self.hosts.over = True
        errands = self._run(errands, float("inf"))
        while errands:  # a machine that does not start at once
            time.sleep(0.2)
            errands = self._run(errands, time.monotonic())

    @staticmethod
    def _run(errands, now):
        """Those that are left when what is due was done."""
        left = [one for one in errands if one[0] > now]
        more = [errand() for at, errand in errands if at <= now]
        now = time.monotonic()
        return left + [(now + one[0], one[1]) for one in more if one is not None]

    def _do(self, one):
        """Carry it out; what is left to do, and in how many seconds."""
        if one.do in {Do.END_HOST, Do.CUT_HOST, Do.STOP_HOST, Do.REBOOT_HOST}:
            return self.hosts.meet(one)
        self.counts[one.do.value] += 1
        match one.do:
            case Do.KILL:
                self.troupe.kill(one.target)
            case Do.RESTART:
                self.troupe.terminate(one.target)
            case Do.CRASH:
                self.troupe.arm(one.target, one.detail)
            case Do.FREEZE:
                self.troupe.freeze(one.target)
                return one.seconds, partial(self.troupe.thaw, one.target)
            case Do.FAULT:
                self.cloud.control("POST", "faults", fault_of(one))
            case Do.KILL_DATABASE:
                self.database.kill()
                self.database.start()
        return None

    def _progress(self):
        acts = sum(user.acts for user in self.users)
        repeated = sum(user.portal.repeated for user in self.users)
        live = sum(w.there is True for user in self.users for w in user.wishes.values())
        self.say(
            f"{live} clusters, {acts} wishes carried out, {repeated} asked again, "
            f"{self.counts['starts after a death']} starts after a death"
        )

    # calm -----------------------------------------------------------------------------------

    def _soothe(self):
        self.cloud.control("DELETE", "faults")
        for name in self.troupe.names:
            self.troupe.disarm(name)
            self.troupe.thaw(name)
        self.troupe.await_serving(*self.troupe.names, supervised=True)

    def _calm(self):
        """The documents once every cluster rests and every wish is told."""
        self._until(self._rests, "every cluster rests and EC2 is as recorded")
        return self._documents()

    def _rests(self):
        documents = self._documents()
        return all(row.fine for row in self._rows(documents))

    def _documents(self):
        """All clusters of all users, with their whitelists."""
        found = []
        for user in self.users:
            portal = Portal(self.troupe.url, user.name)
            try:
                for short in portal.clusters():
                    name = short["milvus-name"]
                    document = portal.read(name)
                    answer = portal.ask("GET", f"/v1/clusters/{name}/whitelist")
                    if document is None or answer.status_code == 404:
                        continue
                    listed = answer.json()["ip-ranges"]
                    found.append({**document, "sources": [r["source-ip"] for r in listed]})
            finally:
                portal.close()
        return found

    def _until(self, true, what):
        since = time.monotonic()
        while not true():
            if time.monotonic() - since > CALM_SECONDS:
                self.say(f"[red]not within {CALM_SECONDS} s: {what}")
                return
            time.sleep(0.3)
        self.say(f"{what} ({time.monotonic() - since:.1f} s)")

    def _left(self):
        sight = audit.look(self.cloud.ec2)
        kinds = (sight.instances, sight.volumes, sight.addresses, sight.groups, sight.keys)
        return any(kinds)

    # verdict --------------------------------------------------------------------------------

    def _rows(self, documents):
        return audit.compare(
            documents,
            self.users,
            audit.look(self.cloud.ec2),
            disturbed=self._disturbed(),
            control=self.control,
        )

    def _disturbed(self):
        """Clusters with a machine that this chaos ended, cut, stopped or rebooted."""
        return {key[0] for key, ids in [*self.launched.items()] if ids & self.hosts.met}

    def _audit(self, title, documents):
        self._note_machines()
        rows = self._rows(documents)
        self.console.print(audit.table(title, rows))
        states = Counter(" ".join((d["status"], d["reason"])).strip() for d in documents)
        if states:
            self.say(", ".join(f"{number} {state}" for state, number in states.items()))
        return all(row.fine for row in rows)

    def _verdict(self, *, good):
        double = {key: ids for key, ids in self.launched.items() if len(ids) > 1}
        broken = [user.broken for user in self.users if user.broken]
        strange = [line for user in self.users for line in user.portal.strange]
        refused = [line for user in self.users for line in user.refused]
        faults = [*self.faults, *unlooked(self.counts)]
        self.console.print(
            f"{len(self.launched)} launches, {sum(map(len, self.launched.values()))} machines; "
            + ", ".join(f"{number} x {what}" for what, number in sorted(self.counts.items()))
        )
        for what, lines in (
            ("launched twice under one token", [f"{k}: {v}" for k, v in double.items()]),
            ("a user's thread ended", broken),
            ("this program itself", faults),
            ("answers that should never be", strange),
            ("wishes refused", refused),
        ):
            for line in lines[:10]:
                self.console.print(f"[red]{what}:[/] {line}")
        return good and not (double or broken or strange or refused or faults)


def unlooked(counts):
    """What is wrong with how often EC2 was looked at: who never looked has seen no double."""
    if not counts[LOOKS]:
        return ["no machine was ever looked for"]
    if counts[MISSED] > counts[LOOKS]:
        return [f"EC2 answered {counts[LOOKS]} looks and missed {counts[MISSED]}"]
    return []


def database(folder):
    """The MongoDB-protocol server of the tests; kill() and start() keep its folder."""
    from tests.store.servers import Server, ensure_program

    ensure_program()
    server = Server(folder / "mongo").start()
    server.close = server.stop
    return closing(server)
