"""One word for what was seen of a node, and where its machine is met. Pure."""

from typing import assert_never

from provisioner.facts import Answer, Facts, InstallFact, InstanceFact, Machine, Reach, Site
from provisioner.node import OTHER_LAUNCH, Life, Saw
from provisioner.record import AddressMode, Node, NodeState, Record, Role

INSTALLED = "installed"
NO_CAPACITY = "INSUFFICIENT_CAPACITY"
GROUP_MISSING = "SECURITY_GROUP_MISSING"
PLACE_MISSING = "IMAGE_OR_SUBNET_MISSING"
BAD_SETTING = "BAD_SETTING"
# Failures of an install that another run on the same machine may not meet again.
PASSING = frozenset({"UNREACHABLE", "PACKAGE_UNAVAILABLE", "RUNNER_FAILED", "CANCELLED"})


def life(node: Node, *, wanted: bool) -> Life:
    """Where a node is, from its stored half and the wish."""
    if node.state is NodeState.GONE:
        return Life.GONE
    if not wanted:
        return Life.LEAVING
    if node.state is NodeState.FAILED:
        return Life.FAILED
    return Life.REPLACING if node.retiring else Life(node.state)


def all_gone(record: Record) -> bool:
    """Whether no slot of the cluster has or may have a machine."""
    return all(node.state is NodeState.GONE for node in record.nodes)


def met_at(record: Record, node: Node, site: Site) -> str:
    """The address the control plane meets this machine at; empty while there is none."""
    if site.reach is Reach.PRIVATE or record.spec.address_mode is AddressMode.PRIVATE:
        return node.private_ip
    if record.spec.address_mode is AddressMode.ELASTIC and node.role is Role.MASTER:
        return record.address.public_ip if record.address.association_id else ""
    return node.public_ip


def group_ids(record: Record) -> tuple[str, ...]:
    """Groups of the cluster's machines, in a fixed order."""
    return tuple(sorted(group.group_id for group in record.groups))


def saw(record: Record, node: Node, facts: Facts, *, install_tries: int) -> Saw:
    """The word. `record` must already hold what was adopted this turn."""
    if node.state is NodeState.FAILED and not node.retiring:
        return Saw.NOTHING  # its machine was seen to be gone
    if node.instance_id:
        instance = facts.instances.get(node.instance_id)
        return (
            _machine(record, node, instance, facts, install_tries=install_tries)
            if instance
            else Saw.UNSEEN
        )
    if node.intent is None:
        return Saw.NOTHING
    if not node.intent.client_token:
        return Saw.REFUSED
    moved = bool(record.groups) and group_ids(record) != node.intent.security_group_ids
    if node.reason == GROUP_MISSING and moved:
        return Saw.ENDED  # refused for groups that were made anew since: nothing was launched
    return Saw.USED if node.reason == OTHER_LAUNCH else Saw.ASKED


def _machine(
    record: Record, node: Node, instance: InstanceFact, facts: Facts, *, install_tries: int
) -> Saw:
    match instance.machine:
        case Machine.PENDING:
            return Saw.PENDING
        case Machine.STOPPING | Machine.STOPPED:
            return Saw.STOPPED
        case Machine.SHUTTING_DOWN:
            return Saw.ENDING
        case Machine.TERMINATED:
            return Saw.ENDED
        case Machine.RUNNING:
            return _service(record, node, facts, install_tries=install_tries)
        case _ as never:
            assert_never(never)


def _service(record: Record, node: Node, facts: Facts, *, install_tries: int) -> Saw:
    if not met_at(record, node, facts.site):
        return Saw.BOOTING
    if node.install_step == INSTALLED or node.state is NodeState.RUNNING:
        return _answer(facts.answers.get(node.token, Answer.SILENT))
    install = facts.installs.get(node.token)
    if install is not None:
        return _install(install, install_tries=install_tries)
    if node.state is NodeState.STARTING and node.token not in facts.ssh:
        return Saw.BOOTING
    return Saw.REACHABLE


def _install(install: InstallFact, *, install_tries: int) -> Saw:
    if install.running:
        return Saw.INSTALLING
    if install.ok:
        return Saw.INSTALLED
    again = install.reason in PASSING and install.tries < install_tries
    return Saw.STUMBLED if again else Saw.BROKEN


def _answer(answer: Answer) -> Saw:
    match answer:
        case Answer.ANSWERS:
            return Saw.ANSWERS
        case Answer.UNSECURED:
            return Saw.UNSECURED
        case Answer.SILENT:
            return Saw.INSTALLED
        case _ as never:
            assert_never(never)
