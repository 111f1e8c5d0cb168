"""What a cluster's list means at a moment."""

from dataclasses import replace

from kite.ports import PortType
from whitelist_svc.change import Key
from whitelist_svc.cluster import Cluster
from whitelist_svc.rules import Entry

LASTING = Entry("198.18.88.1/32", PortType.MILVUS)
ENDING = Entry("198.18.88.2/32", PortType.MILVUS, expires_at_ms=10)
CATS = Cluster("c-one", "alice", "cats", wanted=True, entries=(LASTING, ENDING), revision=3)


def held(cluster, now_ms):
    return [key for key, _ in cluster.keys(now_ms, web_gui=443).items()]


def test_what_expired_is_not_to_be_in_force():
    assert held(CATS, 9) == [Key(LASTING.cidr, 19530), Key(ENDING.cidr, 19530)]
    assert held(CATS, 10) == [Key(LASTING.cidr, 19530)]


def test_nothing_is_in_force_of_a_cluster_that_is_to_go():
    assert held(replace(CATS, wanted=False), 9) == []


def test_a_wish_is_named_by_its_cluster_and_revision():
    assert CATS.wish == replace(CATS, entries=()).wish
    assert CATS.wish != replace(CATS, revision=4).wish
    assert CATS.wish != replace(CATS, cluster_id="c-two").wish
