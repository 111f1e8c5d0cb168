"""The EC2 tag vocabulary: the seed's four tags and ours.

Decisions use only the `kite:` tags; the seed's four carry user text and are for people
(seed 000: every instance and disk has at least these four, spelled exactly so).
"""

from collections.abc import Mapping
from dataclasses import dataclass

INSTALL, CLUSTER, SLOT, ATTEMPT = "kite:install", "kite:cluster", "kite:slot", "kite:attempt"
KIND = "kite:kind"
TYPE = "kite:type"  # the plan, which nothing else in EC2 tells; for adoption only
USERNAME, MILVUS_NAME, MILUSE_USERNAME, NODE_TYPE = (
    "username",
    "milvus-name",
    "miluse-username",
    "node-type",
)


@dataclass(frozen=True, slots=True)
class NodeTags:
    """Whose machine this is: read back from EC2 for adoption and sweep."""

    install: str
    cluster: str
    slot: int
    attempt: int


def node_tags(
    owner: NodeTags, *, user: str, milvus_name: str, role: str, milvus_type: str = ""
) -> dict[str, str]:
    """All tags of one machine and its volumes and interfaces; `role` is master or worker."""
    kept = {TYPE: milvus_type} if milvus_type else {}
    return kept | {
        USERNAME: user,
        MILVUS_NAME: milvus_name,
        MILUSE_USERNAME: user,
        NODE_TYPE: role,
        "Name": f"kite-{owner.cluster}-{owner.slot}",
        INSTALL: owner.install,
        CLUSTER: owner.cluster,
        SLOT: str(owner.slot),
        ATTEMPT: str(owner.attempt),
    }


def cluster_tags(install: str, cluster: str, *, kind: str) -> dict[str, str]:
    """Tags of what belongs to a whole cluster: groups and addresses."""
    return {INSTALL: install, CLUSTER: cluster, KIND: kind}


def install_tags(install: str, *, kind: str) -> dict[str, str]:
    """Tags of what belongs to the whole install: its base group."""
    return {INSTALL: install, KIND: kind}


def pack(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """EC2's list form."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def unpack(tags: list[dict[str, str]] | None) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in tags or []}


def owner_of(tags: Mapping[str, str]) -> NodeTags | None:
    """Whose machine carries these tags; None when it is not ours or the tags are damaged."""
    try:
        return NodeTags(tags[INSTALL], tags[CLUSTER], int(tags[SLOT]), int(tags[ATTEMPT]))
    except (KeyError, ValueError):
        return None
