"""A cluster as this service needs to know it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from whitelist_svc import rules
from whitelist_svc.change import Key
from whitelist_svc.rules import Entry


@dataclass(frozen=True, slots=True)
class Cluster:
    """`group_id` of the whitelist group is empty until the provisioner recorded it."""

    cluster_id: str
    user: str
    milvus_name: str
    wanted: bool
    entries: tuple[Entry, ...]
    revision: int
    group_id: str = ""

    @property
    def wish(self) -> tuple[str, int]:
        """Names one state of one cluster's list."""
        return self.cluster_id, self.revision

    def keys(self, now_ms: int, *, web_gui: int) -> Mapping[Key, str]:
        """What EC2 must hold now: nothing for a cluster that is to be deleted."""
        if not self.wanted:
            return {}
        return rules.keys(rules.live(self.entries, now_ms), web_gui=web_gui)
