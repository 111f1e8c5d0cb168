"""What happened between two records, as lines of the cluster's story. Pure."""

from provisioner.record import Event, Node, NodeState, Record
from provisioner.removal import ALL_PROVEN


def story(before: Record, after: Record, now: int) -> tuple[Event, ...]:
    """Events for every change of a node or of the whole that people care about."""
    events = []
    old = {node.slot: node for node in before.nodes}
    for node in after.nodes:
        events += _node(old.get(node.slot), node, now)
    if before.state is not after.state:
        name = "Cluster" + after.state.value.capitalize()
        events.append(Event(now, name, after.why, (("reason", after.reason),)))
    unproven = after.condition(ALL_PROVEN)
    if unproven and not unproven.ok and unproven != before.condition(ALL_PROVEN):
        reason = (("reason", unproven.reason),)
        events.append(Event(now, "MachineLeftAlone", unproven.description, reason))
    if after.address.allocation_id and not before.address.allocation_id:
        events.append(Event(now, "AddressAllocated", f"address {after.address.public_ip}"))
    if after.groups and not before.groups:
        names = ", ".join(group.group_name for group in after.groups)
        events.append(Event(now, "GroupsReady", f"security groups {names}"))
    return tuple(events)


def _node(before: Node | None, node: Node, now: int) -> list[Event]:
    events = []
    about = (
        ("slot", str(node.slot)),
        ("attempt", str(node.attempt)),
        ("instance-id", node.instance_id),
        ("reason", node.reason),
    )
    if node.instance_id and (before is None or before.instance_id != node.instance_id):
        text = f"{node.role} {node.slot} has machine {node.instance_id}"
        events.append(Event(now, "NodeLaunched", text, about))
    if before is None or before.state is not node.state:
        events.append(Event(now, "Node" + node.state.value.capitalize(), node.why, about))
    elif before.attempt != node.attempt:
        events.append(Event(now, "NodeRenewed", node.why, about))
    elif node.retiring and not before.retiring and node.state is not NodeState.FAILED:
        events.append(Event(now, "NodeRetiring", node.why, about))
    return events
