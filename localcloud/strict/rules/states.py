"""What may be done to an instance depends on its state. Pure verdicts, thin rules."""

from __future__ import annotations

from localcloud.strict.call import Call, Refusal, Reply
from localcloud.strict.cloud import Cloud
from localcloud.strict.life import State
from localcloud.strict.rule import Rule
from localcloud.strict.wire import accepted

_LIFE = "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-lifecycle.html"
_STOPPED_ONLY = (
    "InstanceType",
    "Kernel",
    "Ramdisk",
    "UserData",
    "EbsOptimized",
    "EnaSupport",
    "SriovNetSupport",
)


def start_verdict(instance_id: str, state: str) -> Refusal | None:
    """StartInstances wants `stopped`; on a starting or running instance it does nothing."""
    if state in {State.STOPPED, State.RUNNING, State.PENDING}:
        return None
    text = f"The instance '{instance_id}' is not in a state from which it can be started."
    return Refusal("IncorrectInstanceState", text)


def stop_verdict(instance_id: str, state: str) -> Refusal | None:
    """StopInstances wants an instance that has been running."""
    if state in {State.RUNNING, State.STOPPING, State.STOPPED}:
        return None
    if state == State.PENDING:
        text = f"Instance '{instance_id}' cannot be stopped as it has never been running."
    else:
        text = f"This instance '{instance_id}' is not in a state from which it can be stopped."
    return Refusal("IncorrectInstanceState", text)


def reboot_verdict(instance_id: str, state: str) -> Refusal | None:
    """RebootInstances wants `running`; what is terminated is passed over."""
    if state in {State.RUNNING, State.TERMINATED}:
        return None
    text = f"Instance '{instance_id}' is not in the 'running' state and cannot be rebooted."
    return Refusal("IncorrectInstanceState", text)


def modify_verdict(instance_id: str, state: str, names: frozenset[str]) -> Refusal | None:
    """Some attributes change on a stopped instance only, none on a terminated one."""
    if state in {State.TERMINATED, State.SHUTTING_DOWN}:
        text = f"Instance '{instance_id}' is {state}; it cannot be modified."
        return Refusal("IncorrectInstanceState", text)
    if state != State.STOPPED and names.intersection(_STOPPED_ONLY):
        text = f"The instance '{instance_id}' is not in the 'stopped' state."
        return Refusal("IncorrectInstanceState", text)
    return None


_VERDICTS = {
    "StartInstances": start_verdict,
    "StopInstances": stop_verdict,
    "RebootInstances": reboot_verdict,
}


class PowerStates(Rule):
    """Start, stop and reboot are refused in a state that does not allow them, as a whole."""

    name = "power-states"
    document = _LIFE
    actions = frozenset(_VERDICTS)

    def before(self, call: Call, cloud: Cloud) -> Call | Reply:
        verdict = _VERDICTS[call.action]
        for instance_id in call.params.texts("InstanceIds"):
            state = cloud.state_of(call, instance_id)
            refusal = verdict(instance_id, state) if state else None
            if refusal is not None:
                raise refusal
        return call


class Reboots(Rule):
    """A reboot is only queued, and of what is terminated ignored; no state shows it."""

    name = "reboots"
    document = "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RebootInstances.html"
    actions = frozenset({"RebootInstances"})

    def before(self, call: Call, cloud: Cloud) -> Call | Reply:
        live = self._live(call, cloud)
        if call.dry or len(live) == len(call.params.texts("InstanceIds")):
            return call
        return call.altered(InstanceIds=live) if live else accepted(call)

    def after(self, call: Call, reply: Reply, cloud: Cloud) -> Reply:  # noqa: ARG002
        cloud.reboots += self._live(call, cloud)
        return accepted(call)

    @staticmethod
    def _live(call: Call, cloud: Cloud) -> list[str]:
        ids = call.params.texts("InstanceIds")
        return [one for one in ids if cloud.state_of(call, one) != State.TERMINATED]


class ModifyStates(Rule):
    """Type, user data and the like change only while the instance is stopped."""

    name = "modify-states"
    document = (
        "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyInstanceAttribute.html"
    )
    actions = frozenset({"ModifyInstanceAttribute"})

    def before(self, call: Call, cloud: Cloud) -> Call | Reply:
        instance_id = call.params.text("InstanceId")
        state = cloud.state_of(call, instance_id)
        named = call.params.text("Attribute")
        names = frozenset(call.params.values) | {named[:1].upper() + named[1:]}
        refusal = modify_verdict(instance_id, state, names) if state else None
        if refusal is not None:
            raise refusal
        return call
