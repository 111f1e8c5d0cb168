"""Taking back what a late process did."""

import pytest

from kite.errors import Unavailable
from provisioner.compensation import undo
from provisioner.facts import (
    AddressFact,
    Allocated,
    Associated,
    Done,
    Grouped,
    InstanceFact,
    Launched,
    Machine,
)
from provisioner.plan import (
    Allocate,
    Associate,
    CloseGroups,
    DropGroups,
    EnsureGroups,
    Launch,
    Release,
    Terminate,
)
from provisioner.questions import questions
from provisioner.record import Address, NodeState, Role
from tests.unit.provisioner.shapes import (
    GROUPS,
    ID,
    NOW,
    SITE,
    facts,
    intent,
    launched,
    machine,
    node,
    only,
    plan,
    record,
    token_of,
)

LAUNCH = (Launch(0, 1, Role.MASTER, intent()), Launched(InstanceFact(ID, Machine.PENDING)))
ADDRESS = (Allocate(), Allocated(AddressFact("eipalloc-1", "1")))
GROUPED = (EnsureGroups("vpc-1", peers=False), Grouped(GROUPS))


@pytest.mark.parametrize(("came", "stored", "others", "undone"), [
    (LAUNCH, None, True, (Terminate((ID,)),)),
    (LAUNCH, record(), True, (Terminate((ID,)),)),
    (LAUNCH, record(node(attempt=2)), True, (Terminate((ID,)),)),
    (LAUNCH, record(launched(NodeState.GONE)), True, (Terminate((ID,)),)),
    (LAUNCH, record(node()), True, ()),
    (LAUNCH, record(launched(NodeState.FAILED)), True, ()),
    (LAUNCH, record(launched(NodeState.FAILED, instance_id="i-2")), True, (Terminate((ID,)),)),
    (LAUNCH, record(launched(NodeState.FAILED, instance_id="")), True, (Terminate((ID,)),)),
    (LAUNCH, record(node(NodeState.FAILED, reason="QUOTA_EXCEEDED")), True, (Terminate((ID,)),)),
    (LAUNCH, record(node(NodeState.FAILED, intent=intent(), retiring=True)), True, ()),
    (LAUNCH, record(launched(NodeState.RUNNING)), True, ()),
    (ADDRESS, None, True, (Release(("eipalloc-1",)),)),
    (ADDRESS, record(address=Address("eipalloc-2")), True, (Release(("eipalloc-1",)),)),
    (ADDRESS, record(address=Address("eipalloc-1")), True, ()),
    (ADDRESS, record(address=Address()), True, ()),
    (GROUPED, None, True, (DropGroups(last_cluster=False),)),
    (GROUPED, None, False, (DropGroups(last_cluster=True),)),
    (GROUPED, record(), False, ()),
    ((EnsureGroups("vpc-1", peers=False), Unavailable("?")), None, True,
     (DropGroups(last_cluster=False),)),
    ((LAUNCH[0], Unavailable("?")), None, True, ()),
    ((Associate("e", ID), Associated("a")), None, False, ()),
    ((CloseGroups(), Done()), None, False, ()),
])  # fmt: skip
def test_undo(came, stored, others, undone):
    assert undo((came,), stored, others=others) == undone


@pytest.mark.parametrize("state", [s for s in NodeState if s is not NodeState.RUNNING])
@pytest.mark.parametrize("retiring", [False, True])
@pytest.mark.parametrize("wanted", [False, True])
def test_what_is_left_alone_is_found_by_the_next_holder(state, retiring, wanted):
    """By its token, or because the launch is repeated."""
    stored = record(node(state, intent=intent(), retiring=retiring), wanted=wanted)
    looked = token_of() in questions(stored, SITE, NOW).tokens
    found = plan(stored, facts(launched={token_of(): machine()} if looked else {}))
    repeated = any(isinstance(action, Launch) for action in found.actions)
    left_alone = undo((LAUNCH,), stored, others=True) == ()
    assert left_alone == (repeated or only(found).instance_id == ID)


def test_everything_is_undone_in_order():
    assert len(undo((LAUNCH, ADDRESS, GROUPED), None, others=True)) == 3
