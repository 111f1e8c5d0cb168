"""A second, independent look at decisions: any order of looks, losses, refusals and kills.

No loop, no clock but a number; EC2 is a table of tokens. What was reserved is written before it is
sent, and an answer may be lost after the effect.
"""

from __future__ import annotations

from dataclasses import replace

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from kite import refusals
from kite.errors import DeadlinePassed
from provisioner.cluster import decide
from provisioner.facts import InstanceFact, Launched, Leftovers, Machine
from provisioner.learn import learned
from provisioner.limits import Limits
from provisioner.plan import Launch, Terminate
from provisioner.questions import questions
from provisioner.record import Spec
from provisioner.tokens import token
from tests.unit.provisioner.shapes import CLUSTER, INSTALL, NOW, SITE, facts, record

LIMITS = Limits()
FATES = st.sampled_from(["done", "done", "lost", "unsent", "dry", "slow down"])


class Cluster(RuleBasedStateMachine):
    """One cluster of two nodes and an EC2 that keeps tokens."""

    @initialize()
    def begin(self):
        self.now = NOW
        self.record = record(spec=Spec(workers=1, worker_instance_type="m5.large"))
        self.machines = {}
        self.places = {}

    def see(self):
        asked = questions(self.record, SITE, self.now)
        shown = [replace(one) for one in self.machines.values()]
        launched = {t: self.machines[t] for t in asked.tokens if t in self.machines}
        hashes = {t: f"hash-{t}" for t in asked.hash_tokens}
        left = Leftovers(tuple(shown), others=True) if asked.leftovers else None
        return facts(*shown, launched=launched, hashes=hashes, leftovers=left)

    @rule(fate=FATES, dies=st.booleans(), waits=st.integers(0, 400))
    def turn(self, fate, dies, waits):
        """See, decide, reserve, act, learn; it may die before it learns."""
        self.now += waits * 1000
        seen = self.see()
        plan = decide(self.record, seen, LIMITS, self.now)
        self.record = plan.record
        results = tuple((action, self.do(action, fate)) for action in plan.actions)
        if not dies:
            known = tuple(one for one in results if one[1] is not None)
            self.record = learned(self.record, known, LIMITS, self.now)

    def do(self, action, fate):
        if fate == "unsent":
            return DeadlinePassed("no reply", reason="CLOUD_AWAY")
        if isinstance(action, Terminate):
            for name, one in self.machines.items():
                if one.instance_id in action.instance_ids:
                    self.machines[name] = replace(one, machine=Machine.TERMINATED)
            return None
        if not isinstance(action, Launch):
            return None
        found = self.launch(action, fate)
        return DeadlinePassed("no reply", reason="CLOUD_AWAY") if fate == "lost" else found

    def launch(self, launch, fate):
        name = launch.intent.client_token
        assert name == token(INSTALL, CLUSTER, launch.slot, launch.attempt)
        assert launch.intent in [node.intent for node in self.record.nodes]  # written before
        if name in self.machines:
            if self.machines[name].machine is Machine.TERMINATED:
                return refusals.failure("IdempotentInstanceTerminated", "over")
            return Launched(self.machines[name])
        if fate == "dry":
            return refusals.failure("InsufficientInstanceCapacity", "none")
        if fate == "slow down":
            return refusals.failure("RequestLimitExceeded", "slow down")
        made = InstanceFact(f"i-{len(self.machines)}", Machine.PENDING, token=name)
        self.machines[name], self.places[name] = made, launch.slot
        return Launched(made)

    @rule(which=st.integers(0, 9))
    def somebody_ends_a_machine(self, which):
        names = sorted(self.machines)
        if names:
            name = names[which % len(names)]
            self.machines[name] = replace(self.machines[name], machine=Machine.TERMINATED)

    @rule()
    def the_user_deletes(self):
        self.record = replace(self.record, spec=replace(self.record.spec, wanted=False))

    @invariant()
    def no_slot_has_two_machines(self):
        living = [
            self.places[name]
            for name, one in self.machines.items()
            if one.machine is not Machine.TERMINATED
        ]
        assert len(living) == len(set(living))


Cluster.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
test_any_order_of_looks_and_losses = Cluster.TestCase
