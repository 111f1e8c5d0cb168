"""Public addresses: who may have one, whom it stays with, what it is called."""

from __future__ import annotations

from typing import Any

from localcloud.strict.call import Call, Refusal, Reply
from localcloud.strict.cloud import Cloud
from localcloud.strict.life import State
from localcloud.strict.patches import Patches
from localcloud.strict.rule import Rule

_ELASTIC = "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/elastic-ip-addresses-eip.html"
_ASSOCIATE = "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AssociateAddress.html"
_API = "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/"


def associate_verdict(instance_id: str, interface_id: str, state: str) -> Refusal | None:
    """An address goes to a running or stopped instance only; the code depends on how it is named.

    Codes as seen in hashicorp/terraform-provider-aws#3072, #6189 and #21228.
    """
    if state in {State.RUNNING, State.STOPPED, State.STOPPING, ""}:
        return None
    if interface_id:
        text = (
            f"The {state}-instance-creation instance to which '{interface_id}' is attached is "
            "not in a valid state for this operation"
        )
        return Refusal("IncorrectInstanceState", text)
    text = f"The {state} instance '{instance_id}' is not in a valid state for this operation."
    return Refusal("InvalidInstanceID", text)


def public_name(address: str, region: str) -> str:
    """The public DNS name EC2 gives an address."""
    dashed = address.replace(".", "-")
    if region == "us-east-1":
        return f"ec2-{dashed}.compute-1.amazonaws.com"
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return f"ec2-{dashed}.{region}.compute.{suffix}"


def private_name(address: str, region: str) -> str:
    """The private DNS name by address."""
    zone = "ec2.internal" if region == "us-east-1" else f"{region}.compute.internal"
    return f"ip-{address.replace('.', '-')}.{zone}"


class AddressQuota(Rule):
    """An account holds so many Elastic IPs per region; one may ask for a certain one back."""

    name = "address-quota"
    document = _ELASTIC
    actions = frozenset({"AllocateAddress"})

    def before(self, call: Call, cloud: Cloud) -> Call | Reply:
        if len(cloud.backend(call).addresses) >= cloud.knobs.address_quota:
            text = "The maximum number of addresses has been reached."
            raise Refusal("AddressLimitExceeded", text)
        wanted = call.params.text("Address")
        if wanted and not call.dry and not cloud.pool.claim(wanted):
            raise Refusal("InvalidAddress.NotFound", f"Address '{wanted}' not found.")
        return call


class AssociateStates(Rule):
    """AssociateAddress to a pending or ended instance is refused."""

    name = "associate-states"
    document = _ASSOCIATE
    actions = frozenset({"AssociateAddress"})

    def before(self, call: Call, cloud: Cloud) -> Call | Reply:
        interface_id = call.params.text("NetworkInterfaceId")
        instance = cloud.target_of(call)
        state = str(instance.state) if instance is not None else ""
        refusal = associate_verdict(call.params.text("InstanceId"), interface_id, state)
        if refusal is not None:
            raise refusal
        return call


class GatewayAttached(Rule):
    """An Elastic IP goes into a VPC that has an internet gateway; the default VPC has one."""

    name = "gateway-attached"
    document = "https://docs.aws.amazon.com/vpc/latest/userguide/WorkWithEIPs.html"
    actions = frozenset({"AssociateAddress"})

    def before(self, call: Call, cloud: Cloud) -> Call | Reply:
        vpc_id = cloud.vpc_of(call)
        if vpc_id and not cloud.has_gateway(call, vpc_id):
            text = f"Network {vpc_id} is not attached to any internet gateway"
            raise Refusal("Gateway.NotAttached", text)
        return call


class Association(Rule):
    """One address, one holder: associating again moves it, and doing it twice does nothing.

    An address given to an instance that has one puts the old one back to the account.
    `AllowReassociation=false` keeps an associated address where it is.
    """

    name = "association"
    document = _ASSOCIATE
    actions = frozenset({"AssociateAddress"})

    def before(self, call: Call, cloud: Cloud) -> Call | Reply:
        address = cloud.address_of(call)
        if address is None or call.dry:
            return call
        instance = cloud.target_of(call)
        interface_id = call.params.text("NetworkInterfaceId")
        if address.association_id and address.eni is not None:
            same = address.eni.id == interface_id or address.eni.instance is instance is not None
            if same:
                return _associated(address.association_id)
            if "AllowReassociation" not in call.params:
                call = call.altered(AllowReassociation=True)
            if call.params.flag("AllowReassociation"):
                address.eni.public_ip = None
                address.eni.check_auto_public_ip()
        return call

    def after(self, call: Call, reply: Reply, cloud: Cloud) -> Reply:
        address = cloud.address_of(call)
        if address is not None and address.eni is not None:
            address.instance = address.eni.instance
            for other in cloud.backend(call).addresses:
                if other is not address and other.eni is address.eni:
                    other.eni = other.instance = other.association_id = None
        cloud.free_unused_addresses()
        return reply


def _associated(association_id: str) -> Reply:
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<AssociateAddressResponse '
        'xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><return>true</return>'
        f"<associationId>{association_id}</associationId></AssociateAddressResponse>"
    )
    return Reply(200, body.encode(), headers=(("Content-Type", "text/xml;charset=UTF-8"),))


class ReleaseStates(Rule):
    """An associated address cannot be released: disassociate it first."""

    name = "release-states"
    document = _API + "API_ReleaseAddress.html"
    actions = frozenset({"ReleaseAddress"})

    def before(self, call: Call, cloud: Cloud) -> Call | Reply:
        address = cloud.address_of(call)
        if address is not None and address.association_id and address.eni is not None:
            raise Refusal("InvalidIPAddress.InUse", f"Address {address.public_ip} is in use.")
        return call

    def after(self, call: Call, reply: Reply, cloud: Cloud) -> Reply:  # noqa: ARG002
        cloud.free_unused_addresses()
        return reply


class AddressesOutlive(Rule):
    """An Elastic IP stays through stop and start, and is set free when its instance ends."""

    name = "addresses-outlive-instances"
    document = _ELASTIC

    def __init__(self) -> None:
        self._patches = Patches()

    def install(self, cloud: Cloud) -> None:
        from moto.ec2.models.elastic_network_interfaces import NetworkInterface
        from moto.ec2.models.instances import Instance

        stop, check = NetworkInterface.stop, NetworkInterface.check_auto_public_ip
        terminate = Instance.terminate

        def stop_but_keep(interface: Any) -> None:
            stop(interface)
            for address in _held(interface):
                interface.public_ip = address.public_ip

        def check_unless_held(interface: Any) -> None:
            if not _held(interface):
                check(interface)

        def terminate_and_free(instance: Any) -> Any:
            held = [a for nic in instance.nics.values() for a in _held(nic)]
            for address in held:
                address.eni.public_ip = None
                address.eni = address.instance = address.association_id = None
            before = terminate(instance)
            cloud.free_unused_addresses()
            return before

        self._patches.set(NetworkInterface, "stop", stop_but_keep)
        self._patches.set(NetworkInterface, "check_auto_public_ip", check_unless_held)
        self._patches.set(Instance, "terminate", terminate_and_free)

    def remove(self, cloud: Cloud) -> None:  # noqa: ARG002
        self._patches.undo()


def _held(interface: Any) -> list[Any]:
    backend = interface.ec2_backend
    return [address for address in backend.addresses if address.eni is interface]


class PublicNames(Rule):
    """DNS names by region; public ones for running instances in a VPC with DNS host names."""

    name = "public-names"
    document = "https://docs.aws.amazon.com/vpc/latest/userguide/vpc-dns.html"

    def __init__(self) -> None:
        self._patches = Patches()

    def install(self, cloud: Cloud) -> None:  # noqa: ARG002
        from moto.ec2.models.elastic_network_interfaces import NetworkInterface
        from moto.ec2.models.instances import Instance

        def of_instance(instance: Any) -> str | None:
            named = instance.public_ip and instance.state == State.RUNNING and _named(instance)
            return public_name(instance.public_ip, instance.region_name) if named else None

        def private(interface: Any) -> str | None:
            region = interface.ec2_backend.region_name
            named = vars(interface).get("is_named")
            return private_name(interface.private_ip_address, region) if named else None

        plain = vars(NetworkInterface)["association"].fget

        def of_interface(interface: Any) -> dict[str, Any]:
            association: dict[str, Any] = plain(interface)
            if association:
                region = interface.ec2_backend.region_name
                name = public_name(association["publicIp"], region)
                association["publicDnsName"] = name if _named(interface) else ""
            return association

        self._patches.set(Instance, "public_dns_name", property(of_instance))
        self._patches.set(NetworkInterface, "association", property(of_interface))
        named = property(private, lambda interface, _: setattr(interface, "is_named", True))
        self._patches.set(NetworkInterface, "private_dns_name", named)

    def remove(self, cloud: Cloud) -> None:  # noqa: ARG002
        self._patches.undo()


def _named(thing: Any) -> bool:
    vpc = thing.ec2_backend.vpcs.get(thing.vpc_id)
    return bool(vpc is not None and vpc.enable_dns_hostnames)
