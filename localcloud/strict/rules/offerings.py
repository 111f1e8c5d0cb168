"""What moto's list of offered instance types lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localcloud.strict.rule import Rule

if TYPE_CHECKING:
    from localcloud.strict.cloud import Cloud


class Offerings(Rule):
    """Every region offers types: moto has no list for China and GovCloud, where all count here."""

    name = "offerings"
    document = (
        "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/"
        "API_DescribeInstanceTypeOfferings.html"
    )

    def __init__(self) -> None:
        self._added: list[tuple[dict[str, Any], str]] = []

    def install(self, cloud: Cloud) -> None:  # noqa: ARG002
        from moto.ec2.models.availability_zones_and_regions import RegionsAndZonesBackend
        from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS, INSTANCE_TYPES

        kinds = sorted(INSTANCE_TYPES)
        for region, zones in RegionsAndZonesBackend.zones.items():
            places = {"region": [region], "availability-zone": [zone.name for zone in zones]}
            for location_type, names in places.items():
                listed = INSTANCE_TYPE_OFFERINGS[location_type]
                if region not in listed:
                    listed[region] = [
                        {"InstanceType": kind, "LocationType": location_type, "Location": name}
                        for name in names
                        for kind in kinds
                    ]
                    self._added.append((listed, region))

    def remove(self, cloud: Cloud) -> None:  # noqa: ARG002
        while self._added:
            listed, region = self._added.pop()
            del listed[region]
