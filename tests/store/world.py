"""Builders for registry tests: a clock that is set by hand, wishes, stores on any engine."""

import itertools
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pymongo

from registry_svc import plan_file
from registry_svc.admission import AddressMode, Wish
from registry_svc.claims import Claims
from registry_svc.mongodb import Mongo
from registry_svc.store import Store
from registry_svc.wishes import Wishes

CATALOGUE = plan_file.load()
NOON = 1_800_000_000_000


class HandClock:
    def __init__(self, now_ms=NOON):
        self.now = now_ms

    def now_ms(self):
        return self.now

    def monotonic(self):
        return self.now / 1000

    def forward(self, *, seconds=0, ms=0):
        self.now += seconds * 1000 + ms


@contextmanager
def on_mongodb(uri):
    """A fresh engine on a database of its own, which is dropped afterwards."""
    name = f"kite-test-{os.getpid()}-{next(serial)}"
    engine = Mongo(uri, name, prove=False)
    yield engine
    engine.close()
    with pymongo.MongoClient(uri) as client:
        client.drop_database(name)


def wish(name="search-cats", *, user="milvus-test", body="b1", key="", size=50, kind="M5"):
    return Wish(
        user=user,
        milvus_name=name,
        milvus_type=kind,
        disk_gib=size,
        address_mode=AddressMode.ELASTIC,
        body_hash=body,
        idempotency_key=key,
    )


class World:
    """A store with both halves of the registry on it."""

    def __init__(self, engine, *, quota=16, clock=None):
        self.engine = engine
        self.store = Store(engine)
        self.clock = clock or HandClock()
        self.wishes = Wishes(self.store, CATALOGUE, self.clock, quota=quota)
        self.claims = Claims(self.store, self.clock)

    def create(self, name="search-cats", **more):
        return self.wishes.create(wish(name, **more)).record

    def delete(self, name="search-cats", user="milvus-test", rev=0):
        return self.wishes.delete(user, name, request_id="r", expected_rev=rev)


@contextmanager
def hostile_switching():
    """Threads are switched after every few instructions."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def at_once(count, work):
    """Results (or exceptions) of `work(n)` from `count` threads that start together."""
    gate = threading.Barrier(count)

    def run(number):
        gate.wait()
        try:
            return work(number)
        except Exception as error:  # noqa: BLE001 - told to the test as a result
            return error

    with ThreadPoolExecutor(count) as pool, hostile_switching():
        return list(pool.map(run, range(count)))


serial = itertools.count(1)
