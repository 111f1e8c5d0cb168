"""Only what the next decision needs is asked."""

import pytest

from provisioner.node import OTHER_LAUNCH
from provisioner.questions import Questions, questions
from provisioner.record import Address, AddressMode, NodeState, Spec
from tests.unit.provisioner.shapes import (
    ADDRESS,
    ID,
    MINUTE,
    NOW,
    SITE,
    intent,
    launched,
    node,
    record,
    token_of,
)

S = NodeState
TOKEN = token_of()
HASHES = (TOKEN, token_of(2))
AT = ADDRESS.public_ip


@pytest.mark.parametrize(("cluster", "asked"), [
    (record(), Questions()),
    (record(node()), Questions(hash_tokens=HASHES)),
    (record(node(intent=intent())), Questions(hash_tokens=HASHES)),
    (
        record(node(intent=intent(), reason=OTHER_LAUNCH)),
        Questions(tokens=(TOKEN,), hash_tokens=HASHES),
    ),
    (record(launched()), Questions(ids=(ID,), ssh={TOKEN: AT}, installs=(TOKEN,))),
    (record(launched(S.LOADING)), Questions(ids=(ID,), installs=(TOKEN,))),
    (
        record(launched(S.LOADING, install_step="installed")),
        Questions(ids=(ID,), milvus={TOKEN: AT}),
    ),
    (record(launched(S.RUNNING)), Questions(ids=(ID,), milvus={TOKEN: AT})),
    (record(launched(S.FAILED, retiring=True)), Questions(ids=(ID,))),
    (record(launched(S.FAILED)), Questions()),
    (record(launched(retiring=True)), Questions(ids=(ID,))),
    (
        record(node(S.FAILED, retiring=True, intent=intent())),
        Questions(tokens=(TOKEN,), hash_tokens=HASHES),
    ),
    (
        record(node(retiring=True, intent=intent(client_token=""))),
        Questions(hash_tokens=HASHES),
    ),
    (record(node(intent=intent()), wanted=False), Questions(tokens=(TOKEN,))),
    (record(launched(S.RUNNING), wanted=False), Questions(ids=(ID,))),
    (record(launched(S.GONE), wanted=False), Questions(leftovers=True)),
    (record(wanted=False), Questions(leftovers=True)),
    (record(address=Address()), Questions(address=True)),
    (record(address=Address(), address_intended=False), Questions()),
    (
        record(address=Address(), spec=Spec(address_mode=AddressMode.AUTO)),
        Questions(),
    ),
])  # fmt: skip
def test_what_is_asked(cluster, asked):
    assert questions(cluster, SITE, NOW) == asked


def test_an_old_launch_is_looked_for_before_it_is_repeated():
    cluster = record(node(intent=intent()))
    assert questions(cluster, SITE, NOW + 61 * MINUTE).tokens == (TOKEN,)
    assert questions(cluster, SITE, NOW + 60 * MINUTE).tokens == ()


def test_a_machine_without_its_address_is_not_called():
    cluster = record(launched(), address=Address("eipalloc-1", AT))
    assert questions(cluster, SITE, NOW).ssh == {}
