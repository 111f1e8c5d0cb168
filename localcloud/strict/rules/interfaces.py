"""Network interfaces of instances: their groups, tags, subnet and end."""

from __future__ import annotations

from typing import Any, ClassVar

from localcloud.strict.call import Call, Params, Refusal, Reply
from localcloud.strict.cloud import Cloud
from localcloud.strict.life import State
from localcloud.strict.patches import Patches
from localcloud.strict.rule import Rule

_API = "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/"
_RUN = _API + "API_RunInstances.html"


def launch_shape_verdict(params: Params) -> Refusal | None:
    """Interfaces are described at one level only: of the interface, or of the instance."""
    if "NetworkInterfaces" not in params:
        return None
    for name, said in (
        ("SubnetId", "subnet ID"),
        ("SecurityGroupIds", "security groups"),
        ("SecurityGroups", "security groups"),
        ("PrivateIpAddress", "private IP address"),
    ):
        if name in params:
            text = (
                f"Network interfaces and an instance-level {said} may not be specified on the "
                "same request"
            )
            return Refusal("InvalidParameterCombination", text)
    return None


class LaunchShape(Rule):
    """Instance-level subnet or groups beside NetworkInterfaces are refused."""

    name = "launch-shape"
    document = _RUN
    actions = frozenset({"RunInstances"})

    def before(self, call: Call, cloud: Cloud) -> Call | Reply:  # noqa: ARG002
        refusal = launch_shape_verdict(call.params)
        if refusal is not None:
            raise refusal
        return call


class DefaultSubnet(Rule):
    """Without a subnet the launch goes to the default subnet, never to a random address."""

    name = "default-subnet"
    document = _RUN
    actions = frozenset({"RunInstances"})

    def before(self, call: Call, cloud: Cloud) -> Call | Reply:
        interfaces = [dict(n.values) for n in call.params.structs("NetworkInterfaces")]
        if "SubnetId" in call.params or "LaunchTemplate" in call.params:
            return call
        if any("SubnetId" in i or "NetworkInterfaceId" in i for i in interfaces):
            return call
        subnet_id = cloud.default_subnet(call)
        if not subnet_id:
            text = "No default subnet was found for this region or zone; name a subnet."
            raise Refusal("MissingInput", text)
        if not interfaces:
            return call.altered(SubnetId=subnet_id)
        placed = [{**interface, "SubnetId": subnet_id} for interface in interfaces]
        return call.altered(NetworkInterfaces=placed)


class InterfaceTags(Rule):
    """TagSpecifications of a launch reach the network interfaces it makes."""

    name = "interface-tags"
    document = _API + "API_TagSpecification.html"
    actions = frozenset({"RunInstances"})

    def after(self, call: Call, reply: Reply, cloud: Cloud) -> Reply:
        tags: dict[str, str] = {}
        for spec in call.params.structs("TagSpecifications"):
            if spec.text("ResourceType") == "network-interface":
                tags.update({t.text("Key"): t.text("Value") for t in spec.structs("Tags")})
        if tags:
            for interface in cloud.newest_interfaces(call):
                interface.add_tags(tags)
        return reply


class InterfacesEnd(Rule):
    """An interface made by a launch ends with its instance, unless the launch says otherwise."""

    name = "interfaces-end"
    document = _API + "API_InstanceNetworkInterfaceSpecification.html"
    actions = frozenset({"RunInstances"})

    def after(self, call: Call, reply: Reply, cloud: Cloud) -> Reply:
        kept = {
            spec.number("DeviceIndex") or 0
            for spec in call.params.structs("NetworkInterfaces")
            if "NetworkInterfaceId" in spec or spec.values.get("DeleteOnTermination") is False
        }
        for interface in cloud.newest_interfaces(call):
            if interface.device_index not in kept:
                interface.delete_on_termination = True
        return reply


class InstanceGroups(Rule):
    """An instance's SecurityGroups are those of its primary interface, however they were given."""

    name = "instance-groups"
    document = _API + "API_Instance.html"

    def __init__(self) -> None:
        self._patches = Patches()

    def install(self, cloud: Cloud) -> None:  # noqa: ARG002
        from moto.ec2.models.elastic_network_interfaces import NetworkInterface
        from moto.ec2.models.instances import Instance

        def groups(instance: Any) -> list[Any]:
            primary = vars(instance).get("nics", {}).get(0)
            if primary is None:
                return list(instance.launch_groups)
            gone = primary.id not in instance.ec2_backend.enis
            return [] if gone else list(primary._group_set)  # noqa: SLF001

        def set_groups(instance: Any, value: list[Any]) -> None:
            instance.launch_groups = value
            primary = vars(instance).get("nics", {}).get(0)
            if primary is not None:
                primary._group_set = list(value)  # noqa: SLF001

        own = property(lambda interface: interface._group_set)  # noqa: SLF001
        self._patches.set(Instance, "security_groups", property(groups, set_groups))
        self._patches.set(NetworkInterface, "group_set", own)

    def remove(self, cloud: Cloud) -> None:  # noqa: ARG002
        self._patches.undo()


class TerminatedIsBare(Rule):
    """A terminated instance shows no addresses, interfaces, groups, subnet or VPC."""

    name = "terminated-is-bare"
    document = "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/terminating-instances.html"

    _HIDDEN: ClassVar[tuple[tuple[str, object], ...]] = (
        ("private_ip_address", None),
        ("private_dns_name", ""),
        ("public_ip_address", None),
        ("network_interfaces", []),
        ("vpc_id", None),
        ("subnet_id", None),
    )

    def __init__(self) -> None:
        self._patches = Patches()

    def install(self, cloud: Cloud) -> None:  # noqa: ARG002
        from moto.ec2.models.instances import Instance

        for name, bare in self._HIDDEN:
            plain = vars(Instance)[name].fget
            self._patches.set(Instance, name, property(_unless_ended(plain, bare)))

    def remove(self, cloud: Cloud) -> None:  # noqa: ARG002
        self._patches.undo()


def _unless_ended(plain: Any, bare: Any) -> Any:
    def read(instance: Any) -> Any:
        return bare if instance.state == State.TERMINATED else plain(instance)

    return read
