"""What somebody sees who opens the database: the document of seed 000, ours beside it."""

import mongoengine
import pytest
from hypothesis import given, settings

from kite.v1 import cluster_pb2 as pb
from registry_svc import documents, packing
from registry_svc.claims import Commit
from registry_svc.embedded import Embedded
from tests.unit.registry_svc import shapes

# Seed 000, "mongodb 中存储的数据", with its stray commas left out.
SEED = {
    "username": "milvus-test",
    "milvus-name": "search-cats",
    "milvus-url": "ec2-52-82-52-246.cn-northwest-1.compute.amazonaws.com.cn",
    "milvus-port": "19530",
    "milvus-type": "M5",
    "subnet-id": "subnet-64b1090d",
    "security-groups": [{"group-name": "sg-base"}, {"group-name": "sg-miluvs-test"}],
    "instances": [
        {
            "node-type": "master",
            "instance-id": "i-00879b91cf475a597",
            "status": "starting",
            "key-pair": "zilliz-hz02",
            "public-ip": "52.82.52.246",
            "private-ip": "172.31.9.114",
        },
        {
            "node-type": "worker",
            "instance-id": "i-0102e93a4413df1ba",
            "status": "loading",
            "key-pair": "zilliz-hz02",
            "public-ip": "3.12.47.200",
            "private-ip": "172.31.9.115",
        },
    ],
}


def status():
    master, worker = SEED["instances"]
    return pb.ClusterStatus(
        state=pb.CLUSTER_STATE_STARTING,
        milvus_url=SEED["milvus-url"],
        milvus_port="19530",
        subnet_id=SEED["subnet-id"],
        security_groups=[
            pb.SecurityGroup(logical_name="sg-base", group_name="kite-base-kite1", kind="base"),
            pb.SecurityGroup(logical_name="sg-miluvs-test", group_name="kite-c1"),
        ],
        nodes=[
            node(master, slot=0, role=pb.ROLE_MASTER, state=pb.NODE_STATE_STARTING),
            node(worker, slot=1, role=pb.ROLE_WORKER, state=pb.NODE_STATE_LOADING),
        ],
    )


def node(instance, **more):
    names = ("instance-id", "key-pair", "public-ip", "private-ip")
    return pb.Node(**{n.replace("-", "_"): instance[n] for n in names}, attempt=1, **more)


def like(seed, stored):
    """The part of `stored` that `seed` speaks of."""
    if isinstance(seed, dict):
        return {key: like(value, stored[key]) for key, value in seed.items()}
    if isinstance(seed, list):
        assert len(seed) == len(stored)
        return [like(one, other) for one, other in zip(seed, stored, strict=True)]
    return stored


@pytest.fixture
def stored(world):
    world.create()
    [claimed] = world.claims.claim("p", most=1, seconds=30)
    cluster_id = claimed.cluster.cluster_id
    world.claims.commit(Commit("p", cluster_id, claimed.lease.fence, status=status()))
    return world.engine.bound.clusters.collection.find_one({"_id": cluster_id})


def test_the_stored_document_is_the_seeds(stored):
    assert like(SEED, stored) == SEED


def test_the_seeds_fields_come_first_and_in_its_order(stored):
    assert [key for key in stored if key != "_id"][: len(SEED)] == list(SEED)
    for instance in stored["instances"]:
        assert list(instance)[:6] == list(SEED["instances"][0])
    for group in stored["security-groups"]:
        assert next(iter(group)) == "group-name"


def test_the_seeds_fields_are_there_from_the_first_moment(world):
    cluster_id = world.create().cluster.cluster_id
    document = world.engine.bound.clusters.collection.find_one({"_id": cluster_id})
    assert set(SEED) <= set(document)
    assert document["milvus-port"] == "19530"
    assert document["instances"] == []


def test_a_query_by_the_seeds_names_finds_it(world, stored):
    clusters = world.engine.bound.clusters.collection
    for query in (
        {"instances.instance-id": "i-0102e93a4413df1ba"},
        {"username": "milvus-test", "milvus-name": "search-cats"},
        {"security-groups.group-name": "sg-base"},
    ):
        assert [found["_id"] for found in clusters.find(query)] == [stored["_id"]]


def test_mongoengine_reads_the_document_too(world, stored):
    found = world.engine.bound.clusters.document.objects(instances__status="loading").get()
    assert found.instances[1].private_ip == "172.31.9.115"
    found.validate()


@pytest.fixture(scope="module")
def kinds(tmp_path_factory):
    engine = Embedded(tmp_path_factory.mktemp("documents"))
    yield engine.bound
    engine.close()


@given(shapes.records)
@settings(max_examples=60, deadline=None)
def test_whatever_is_packed_fits_the_schema_and_comes_back(kinds, record):
    content = documents.checked(kinds.clusters, packing.pack_record(record))
    assert packing.unpack_record(content) == record


@pytest.mark.parametrize(
    "change",
    [
        {"state": 5},
        {"workers": -1},
        {"instances": [{"node-type": "boss", "status": "running", "slot": 0, "attempt": 0}]},
        {"instances": [{"node-type": "master", "status": "gone", "slot": 0, "attempt": 0}]},
        {"username": None},
        {"unheard-of": 1},
        {"rev": 0},
        {"writes": 0},
    ],
)
def test_what_does_not_fit_the_schema_is_refused(kinds, change):
    cluster = pb.Cluster(cluster_id="c", user="u", milvus_name="n", rev=1, generation=1)
    cluster.spec.address_mode = pb.ADDRESS_MODE_ELASTIC
    cluster.spec.milvus_type = cluster.spec.master_instance_type = "m5.large"
    cluster.status.state = pb.CLUSTER_STATE_RUNNING
    good = packing.pack_record(packing.Record(cluster))
    assert documents.checked(kinds.clusters, good)
    refused = (mongoengine.errors.ValidationError, mongoengine.errors.FieldDoesNotExist)
    with pytest.raises(refused):
        documents.checked(kinds.clusters, good | change)


def test_no_user_text_reaches_a_query_as_an_operator(world):
    """Names are compared as text, whatever they hold."""
    world.create()
    for text in ('{"$ne": ""}', "$where", "search-cats|", ".*", "milvus-test|search-cats"):
        assert world.store.live("milvus-test", text) is None
        assert world.store.live(text, "search-cats") is None
        assert world.store.operations(text, "", before=None, size=9) == []
