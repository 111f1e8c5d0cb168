"""What is done to EC2. Every call may be repeated; names and tags travel in the launching call."""

from typing import Any

from kite import tags
from kite.errors import CloudRefused, Internal, KiteError
from kite.refusals import gone
from provisioner import user_data
from provisioner.ec2.client import Ec2
from provisioner.ec2.network import ROOT_DEVICE
from provisioner.ec2.see import DATA_DEVICE, fact
from provisioner.facts import AddressFact, Allocated, Associated, Launched
from provisioner.launch_refusals import USER_DATA_CHANGED
from provisioner.plan import Launch
from provisioner.record import Record


class Hands:
    """Acts on one install's machines and addresses. All raise KiteError."""

    def __init__(self, ec2: Ec2, *, install: str, secret: str) -> None:
        self._ec2 = ec2
        self._install = install
        self._secret = secret

    async def launch(self, record: Record, launch: Launch) -> Launched:
        """RunInstances with the frozen parameters, once; the token makes a repetition harmless.

        Raises:
            CloudRefused: USER_DATA_CHANGED when the frozen user data cannot be made any more.
        """
        answer = await self._ec2.call("RunInstances", self._parameters(record, launch))
        instances = answer.get("Instances", [])
        if len(instances) != 1:
            raise Internal(f"RunInstances made {len(instances)} machines in the place of one")
        launched = fact(instances[0])
        owner = tags.owner_of(tags.unpack(instances[0].get("Tags")))
        if owner is not None and owner != self._owner(record, launch):
            raise Internal(f"token of {record.cluster_id} brought a machine of {owner.cluster}")
        return Launched(launched)

    def _owner(self, record: Record, launch: Launch) -> tags.NodeTags:
        return tags.NodeTags(self._install, record.cluster_id, launch.slot, launch.attempt)

    def _parameters(self, record: Record, launch: Launch) -> dict[str, Any]:
        intent = launch.intent
        told = user_data.user_data(self._secret, self._install, intent.client_token)
        if user_data.digest(told) != intent.user_data_hash:
            raise CloudRefused(
                "the user data frozen for this launch cannot be made any more "
                "(another install secret or version)",
                reason=USER_DATA_CHANGED,
            )
        owned = tags.node_tags(
            self._owner(record, launch),
            user=record.user,
            milvus_name=record.milvus_name,
            role=launch.role,
            milvus_type=record.spec.milvus_type,
        )
        interface = {
            "DeviceIndex": 0,
            "SubnetId": intent.subnet_id,
            "Groups": list(intent.security_group_ids),
            "AssociatePublicIpAddress": intent.public_address,
            "DeleteOnTermination": True,
        }
        return {
            "ImageId": intent.image_id,
            "InstanceType": intent.instance_type,
            "MinCount": 1,
            "MaxCount": 1,
            "ClientToken": intent.client_token,
            "NetworkInterfaces": [interface],
            "UserData": told,
            "BlockDeviceMappings": [
                _disk(intent.root_device or ROOT_DEVICE, intent.root_gib),
                _disk(DATA_DEVICE, intent.data_gib),
            ],
            "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 1},
            "TagSpecifications": [
                {"ResourceType": kind, "Tags": tags.pack(owned)}
                for kind in ("instance", "volume", "network-interface")
            ],
        }

    async def terminate(self, instance_ids: tuple[str, ...]) -> None:
        """Ask for the end of machines; whether it came is seen by looking.

        One unknown id makes EC2 refuse the whole call, so then each is asked for alone.
        """
        try:
            await self._ec2.call("TerminateInstances", {"InstanceIds": list(instance_ids)})
        except KiteError as failed:
            if not gone(failed.context.get("aws-code", "")):
                raise
            if len(instance_ids) > 1:
                for instance_id in instance_ids:
                    await self.terminate((instance_id,))

    async def allocate(self, cluster_id: str) -> Allocated:
        owned = tags.cluster_tags(self._install, cluster_id, kind="address")
        answer = await self._ec2.call(
            "AllocateAddress",
            {
                "Domain": "vpc",
                "TagSpecifications": [{"ResourceType": "elastic-ip", "Tags": tags.pack(owned)}],
            },
        )
        return Allocated(AddressFact(answer["AllocationId"], answer["PublicIp"]))

    async def associate(self, allocation_id: str, instance_id: str) -> Associated:
        answer = await self._ec2.call(
            "AssociateAddress",
            {
                "AllocationId": allocation_id,
                "InstanceId": instance_id,
                "AllowReassociation": True,
            },
        )
        return Associated(answer.get("AssociationId", ""))

    async def release(self, allocation_ids: tuple[str, ...]) -> None:
        for allocation_id in allocation_ids:
            await self._unless_gone("ReleaseAddress", {"AllocationId": allocation_id})

    async def delete_volumes(self, volume_ids: tuple[str, ...]) -> None:
        for volume_id in volume_ids:
            await self._unless_gone("DeleteVolume", {"VolumeId": volume_id})

    async def _unless_gone(self, action: str, parameters: dict[str, Any]) -> None:
        try:
            await self._ec2.call(action, parameters)
        except KiteError as failed:
            if not gone(failed.context.get("aws-code", "")):
                raise


def _disk(device: str, size_gib: int) -> dict[str, Any]:
    """Encrypted gp3 that ends with its machine, said explicitly: images default otherwise."""
    ebs = {"VolumeSize": size_gib, "VolumeType": "gp3", "Encrypted": True}
    return {"DeviceName": device, "Ebs": {**ebs, "DeleteOnTermination": True}}
