"""Client tokens: a request repeated with its token is done once."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from localcloud.strict.call import Call, Refusal, Reply
from localcloud.strict.cloud import Cloud
from localcloud.strict.life import CODES, State
from localcloud.strict.patches import Patches
from localcloud.strict.rule import EVERY, Rule

_IDEMPOTENCY = "https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html"
LONGEST = 64
_STATE = re.compile(rb"<instanceState>.*?</instanceState>", re.DOTALL)


def print_of(params: Mapping[str, Any]) -> str:
    """What makes two requests the same: every parameter but the token and DryRun."""
    counted = {k: v for k, v in params.items() if k not in {"ClientToken", "DryRun"}}
    return json.dumps(counted, sort_keys=True, default=str)


def token_verdict(token: str) -> Refusal | None:
    """A token is at most 64 ASCII characters."""
    if len(token) <= LONGEST and token.isascii():
        return None
    text = f"Invalid client token: at most {LONGEST} ASCII characters, got {len(token)}"
    return Refusal("InvalidParameterValue", text)


def repeat_verdict(print_then: str, print_now: str, states: list[str]) -> Refusal | None:
    """May the same token be used again? `states` are those of the instances it made."""
    if print_then != print_now:
        text = "Arguments on this idempotent request are inconsistent with the earlier request."
        return Refusal("IdempotentParameterMismatch", text)
    if states and all(s in {State.TERMINATED, State.SHUTTING_DOWN, ""} for s in states):
        text = "The client token belongs to a terminated instance; use a different client token."
        return Refusal("IdempotentInstanceTerminated", text)
    return None


def with_states(reply: Reply, states: list[str]) -> Reply:
    """A launch's reply with the states the instances have now: moto always says `pending`."""
    now = iter(states)

    def state(_: re.Match[bytes]) -> bytes:
        name = next(now)
        code = CODES[State(name)]
        text = f"<instanceState><code>{code}</code><name>{name}</name></instanceState>"
        return text.encode()

    return replace(reply, body=_STATE.sub(state, reply.body, count=len(states)))


@dataclass(frozen=True, slots=True)
class _Kept:
    """A launch (its reservation and instances), or another request (its reply)."""

    print: str
    reservation: str = ""
    instances: tuple[str, ...] = ()
    reply: Reply | None = None


class ClientTokens(Rule):
    """Same token, same parameters: the first result, as it is now. Other parameters: refused.

    RunInstances counts per region, and per zone when the request names a zone or a subnet.
    The token of a terminated instance is refused (seen since 2025-01: boto/boto3#4406).
    A request that failed leaves no trace.
    """

    name = "client-token"
    document = _IDEMPOTENCY
    actions = EVERY

    def __init__(self) -> None:
        self._kept: dict[tuple[str, ...], _Kept] = {}
        self._patches = Patches()

    def reset(self) -> None:
        self._kept.clear()

    def install(self, cloud: Cloud) -> None:
        from moto.ec2.models.instances import InstanceBackend

        run = InstanceBackend.run_instances

        def run_or_replay(backend: Any, *args: Any, **kwargs: Any) -> Any:
            if cloud.replaying:
                return backend.reservations[cloud.replaying]
            return run(backend, *args, **kwargs)

        self._patches.set(InstanceBackend, "run_instances", run_or_replay)

    def remove(self, cloud: Cloud) -> None:  # noqa: ARG002
        self._patches.undo()

    def before(self, call: Call, cloud: Cloud) -> Call | Reply:
        token = call.params.text("ClientToken")
        if not token or call.describing or call.dry:
            return call
        refusal = token_verdict(token)
        if refusal is None:
            kept = self._kept.get(self._key(call, cloud))
            if kept is None:
                return call
            states = [cloud.state_of(call, i) for i in kept.instances]
            refusal = repeat_verdict(kept.print, print_of(call.params.values), states)
            if refusal is None:
                return kept.reply or self._again(call, kept, cloud)
        raise refusal

    def after(self, call: Call, reply: Reply, cloud: Cloud) -> Reply:
        if not call.params.text("ClientToken") or call.describing:
            return reply
        key, fingerprint = self._key(call, cloud), print_of(call.params.values)
        if call.action == "RunInstances":
            reservation, instances = cloud.newest(call)
            self._kept[key] = _Kept(fingerprint, reservation, instances)
        else:
            self._kept[key] = _Kept(fingerprint, reply=reply)
        return reply

    @staticmethod
    def _key(call: Call, cloud: Cloud) -> tuple[str, ...]:
        zone = cloud.zone_of(call) if call.action == "RunInstances" else ""
        return (call.account, call.region, zone, call.action, call.params.text("ClientToken"))

    @staticmethod
    def _again(call: Call, kept: _Kept, cloud: Cloud) -> Reply:
        bare = {"MinCount": 1, "MaxCount": 1, "ImageId": call.params.text("ImageId")}
        reply = cloud.again(call.only(**bare), kept.reservation)
        return with_states(reply, [cloud.state_of(call, one) for one in kept.instances])


class TokenFilter(Rule):
    """DescribeInstances finds instances by the `client-token` filter, and some more names."""

    name = "client-token-filter"
    document = "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html"
    _NAMES = {  # noqa: RUF012 - never changed
        "client-token": "client_token",
        "reason": "state_transition_reason",
        "instance-lifecycle": "lifecycle",
        "instance-state-code": "state_code_text",
        "reservation-id": "reservation_id",
        "network-interface.network-interface-id": "network_interfaces.id",
        "network-interface.group-id": "security_groups.id",
        "block-device-mapping.volume-id": "volume_ids",
    }

    def __init__(self) -> None:
        self._patches = Patches()
        self._added: list[str] = []

    def install(self, cloud: Cloud) -> None:  # noqa: ARG002
        from moto.ec2 import utils
        from moto.ec2.models.instances import Instance

        known = utils.filter_dict_attribute_mapping
        self._added = [name for name in self._NAMES if name not in known]
        known.update({name: self._NAMES[name] for name in self._added})
        self._patches.set(Instance, "state_code_text", property(lambda i: str(i.state_code)))
        self._patches.set(Instance, "reservation_id", property(_reservation_id))
        self._patches.set(Instance, "volume_ids", property(_volume_ids))

    def remove(self, cloud: Cloud) -> None:  # noqa: ARG002
        from moto.ec2 import utils

        for name in self._added:
            del utils.filter_dict_attribute_mapping[name]
        self._patches.undo()


def _reservation_id(instance: Any) -> str:
    for reservation in instance.ec2_backend.reservations.values():
        if instance in reservation.instances:
            return str(reservation.id)
    return ""


def _volume_ids(instance: Any) -> list[str]:
    return [device.volume_id for _, device in instance.get_block_device_mapping]
