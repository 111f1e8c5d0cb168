"""Names, tags and fixed rules of the security groups Kite owns.

EC2 refuses group names that begin with `sg-`, so the names the users see are logical.
Source: EC2 API reference, CreateSecurityGroup.GroupName.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from kite import tags
from kite.ports import MILVUS_PORT, SSH_PORT
from whitelist_svc.change import Held, Key

# SSH to install, Milvus to ask whether it answers; never 9091 (CVE-2026-26190).
CONTROL_PORTS = (SSH_PORT, MILVUS_PORT)
CONTROL_DESCRIPTION = "kite:control"


class Kind(StrEnum):
    """What a group is for."""

    BASE = "base"
    WHITELIST = "whitelist"
    PEERS = "peers"


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose group it is; `cluster_id` is empty for the group of the whole install."""

    install: str
    cluster_id: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A group that shall exist, before EC2 gave it an id."""

    kind: Kind
    name: str
    description: str
    tags: Mapping[str, str]

    @property
    def owner(self) -> Owner:
        return owner_of(self.tags)


@dataclass(frozen=True, slots=True)
class Group:
    """A group as EC2 shows it."""

    group_id: str
    name: str
    vpc_id: str
    tags: Mapping[str, str]
    rules: tuple[Held, ...] = ()

    @property
    def owner(self) -> Owner:
        return owner_of(self.tags)


def owner_of(found: Mapping[str, str]) -> Owner:
    return Owner(found.get(tags.INSTALL, ""), found.get(tags.CLUSTER, ""))


def base(install: str) -> Wanted:
    """The group of the whole install: access of the control plane."""
    name = f"kite-base-{install}"
    marks = {"Name": name, **tags.install_tags(install, kind=Kind.BASE)}
    return Wanted(Kind.BASE, name, f"Kite control plane access of install {install}", marks)


def whitelist(install: str, cluster_id: str, *, user: str, milvus_name: str) -> Wanted:
    """The group of one cluster that holds the user's whitelist and nothing else."""
    name = whitelist_name(cluster_id)
    marks = _marks(install, cluster_id, Kind.WHITELIST, name, user, milvus_name)
    return Wanted(Kind.WHITELIST, name, f"Kite whitelist of cluster {cluster_id}", marks)


def peers(install: str, cluster_id: str, *, user: str, milvus_name: str) -> Wanted:
    """The group through which the nodes of one cluster reach each other."""
    name = peers_name(cluster_id)
    marks = _marks(install, cluster_id, Kind.PEERS, name, user, milvus_name)
    return Wanted(Kind.PEERS, name, f"Kite nodes of cluster {cluster_id}", marks)


def whitelist_name(cluster_id: str) -> str:
    return f"kite-{cluster_id}"


def peers_name(cluster_id: str) -> str:
    return f"kite-{cluster_id}-peers"


def _marks(
    install: str, cluster_id: str, kind: Kind, name: str, user: str, milvus_name: str
) -> dict[str, str]:
    for_people = {"Name": name, tags.USERNAME: user, tags.MILVUS_NAME: milvus_name}
    return for_people | tags.cluster_tags(install, cluster_id, kind=kind)


def logical_name(kind: Kind, milvus_name: str) -> str:
    """The seed's name of a group."""
    return {
        Kind.BASE: "sg-base",
        Kind.WHITELIST: f"sg-{milvus_name}",
        Kind.PEERS: f"sg-{milvus_name}-peers",
    }[kind]


def base_rules(control: Iterable[str]) -> dict[Key, str]:
    """What the base group holds: the control plane's ports, from its own ranges only."""
    return {Key(cidr, port): CONTROL_DESCRIPTION for cidr in control for port in CONTROL_PORTS}
