"""Tags carry ownership to EC2 and back."""

from hypothesis import given
from hypothesis import strategies as st

from kite import tags
from kite.tags import NodeTags

OWNER = NodeTags("kite1", "cabcdef", 2, 7)
TEXTS = st.text(max_size=20)


def test_the_seeds_four_tags_are_spelled_as_the_seed_does():
    made = tags.node_tags(OWNER, user="milvus-test", milvus_name="search-cats", role="master")
    seed = {
        "username": "milvus-test",
        "milvus-name": "search-cats",
        "miluse-username": "milvus-test",
        "node-type": "master",
    }
    assert seed.items() <= made.items()


@given(
    st.builds(NodeTags, TEXTS, TEXTS, st.integers(), st.integers()),
    TEXTS,
    TEXTS,
    st.sampled_from(["master", "worker"]),
)
def test_an_owner_is_read_back_whatever_the_user_called_things(owner, user, name, role):
    made = tags.node_tags(owner, user=user, milvus_name=name, role=role)
    assert tags.owner_of(tags.unpack(tags.pack(made))) == owner


def test_user_text_never_decides_ownership():
    mine = {"username": "kite1", "milvus-name": "x", "node-type": "master", "Name": "kite-x-0"}
    assert tags.owner_of(mine) is None


def test_damaged_tags_have_no_owner():
    made = tags.node_tags(OWNER, user="u", milvus_name="n", role="worker")
    for key in (tags.INSTALL, tags.CLUSTER, tags.SLOT, tags.ATTEMPT):
        assert tags.owner_of({k: v for k, v in made.items() if k != key}) is None
    assert tags.owner_of(made | {tags.SLOT: "two"}) is None
    assert tags.owner_of(made | {tags.ATTEMPT: ""}) is None


def test_tags_of_groups_addresses_and_keys():
    assert tags.cluster_tags("kite1", "c1", kind="address") == {
        "kite:install": "kite1",
        "kite:cluster": "c1",
        "kite:kind": "address",
    }
    assert tags.install_tags("kite1", kind="base") == {"kite:install": "kite1", "kite:kind": "base"}


def test_no_tags_at_all_read_as_empty():
    assert tags.unpack(None) == {}
    assert tags.unpack([]) == {}


def test_every_key_fits_aws_limits():
    # AWS, "Tag naming limits and requirements": keys up to 128 characters, none starts with aws:
    for key in tags.node_tags(OWNER, user="u", milvus_name="n", role="master"):
        assert len(key) <= 128
        assert not key.lower().startswith("aws:")
