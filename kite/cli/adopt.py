"""`kite adopt`: the records of clusters rebuilt from EC2, when the registry was lost.

The provisioner tells of machines, the whitelist service of groups, the registry what it would make
of each. Nothing in EC2 is changed; without `--yes` nothing in the registry is either, nor when one
cluster of all is refused.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import typer
from rich.console import Console
from rich.table import Table

from kite.cli import plain
from kite.errors import KiteError
from kite.rpc import client
from kite.settings import Common
from kite.v1 import adoption_pb2, cluster_pb2
from kite.v1.adoption_pb2_grpc import AdoptionServiceStub, SurveyServiceStub

DEADLINE_SECONDS, AT_ONCE = 120.0, 200
DONE, OPEN, UNDECIDED = 0, 1, 3
LOST = (
    "Not rebuilt: notes and ends of whitelist entries (every rule in force comes back without an "
    "end), the history, deletions that were under way (delete again), and Idempotency-Keys."
)


class Surveyor(Protocol):
    """A service that can tell of clusters from EC2 alone."""

    async def survey(self) -> list[adoption_pb2.SurveyResponse]: ...


class Registry(Protocol):
    """Where the clusters are taken in."""

    async def adopt(
        self, request: adoption_pb2.AdoptClustersRequest
    ) -> adoption_pb2.AdoptClustersResponse: ...


@dataclass(frozen=True, slots=True)
class Answer:
    """What became, or would become, of each cluster; `acted` = the new ones were written."""

    clusters: tuple[cluster_pb2.Cluster, ...]
    verdicts: Mapping[str, adoption_pb2.AdoptedCluster]
    notes: tuple[str, ...]
    acted: bool

    @property
    def code(self) -> int:
        """Exit code: nothing is left to adopt, or something is."""
        outcomes = {one.outcome for one in self.verdicts.values()}
        still = {"refused"} if self.acted else {"refused", "new"}
        return OPEN if outcomes & still else DONE


class Remote:
    """A service behind its address."""

    def __init__(self, target: str, name: str) -> None:
        self._target, self._name = target, name

    async def survey(self) -> list[adoption_pb2.SurveyResponse]:
        async with client.connect(self._target, name=self._name) as channel:
            asked = SurveyServiceStub(channel).Survey(
                adoption_pb2.SurveyRequest(), timeout=DEADLINE_SECONDS
            )
            return [one async for one in asked]

    async def adopt(
        self, request: adoption_pb2.AdoptClustersRequest
    ) -> adoption_pb2.AdoptClustersResponse:
        async with client.connect(self._target, name=self._name) as channel:
            answer: adoption_pb2.AdoptClustersResponse = await AdoptionServiceStub(
                channel
            ).AdoptClusters(request, timeout=DEADLINE_SECONDS)
            return answer


def run(settings: Common, *, act: bool, only: Collection[str]) -> int:
    """Ask, print, and say how it went."""
    try:
        answer = asyncio.run(
            adopt(
                Remote(settings.provisioner, "provisioner"),
                Remote(settings.whitelist, "whitelist"),
                Remote(settings.registry, "registry"),
                act=act,
                only=only,
            )
        )
    except KiteError as failed:
        typer.echo(f"kite: {failed}", err=True)
        return UNDECIDED
    for note in answer.notes:
        typer.echo(f"kite: {plain.plain(note)}", err=True)
    if not answer.clusters:
        typer.echo("EC2 shows no cluster of this install.")
        return answer.code
    Console().print(table(answer))
    typer.echo(LOST)
    if not answer.acted:
        typer.echo("Nothing was written" + (", because one is refused." if act else "; see --yes."))
    return answer.code


async def adopt(
    machines: Surveyor,
    groups: Surveyor,
    registry: Registry,
    *,
    act: bool,
    only: Collection[str] = (),
) -> Answer:
    """Look, ask the registry, and write if all can be taken in; `only` = of these clusters.

    Raises:
        KiteError: a service could not tell all: half a picture is not taken in.
    """
    seen, guarded = await asyncio.gather(machines.survey(), groups.survey())
    clusters = merged(_clusters(seen), _clusters(guarded))
    notes = [one.note for one in (*seen, *guarded) if one.note]
    known = {one.cluster_id for one in clusters}
    notes += [
        f"{one.cluster_id}: security groups, but no machine"
        for one in _clusters(guarded)
        if one.cluster_id not in known
    ]
    clusters = tuple(one for one in clusters if not only or one.cluster_id in only)
    verdicts = without_doubles(clusters, await _told(registry, clusters, act=False))
    acted = act and not any(one.outcome == "refused" for one in verdicts.values())
    if acted:
        verdicts = await _told(registry, clusters, act=True)
    return Answer(clusters, verdicts, tuple(notes), acted)


async def _told(
    registry: Registry, clusters: Sequence[cluster_pb2.Cluster], *, act: bool
) -> dict[str, adoption_pb2.AdoptedCluster]:
    """What the registry says of each; in parts, because a message has its bounds."""
    verdicts: dict[str, adoption_pb2.AdoptedCluster] = {}
    for at in range(0, len(clusters), AT_ONCE):
        part = clusters[at : at + AT_ONCE]
        answer = await registry.adopt(adoption_pb2.AdoptClustersRequest(clusters=part, act=act))
        verdicts |= {one.cluster_id: one for one in answer.clusters}
    return verdicts


def without_doubles(
    clusters: Sequence[cluster_pb2.Cluster],
    verdicts: Mapping[str, adoption_pb2.AdoptedCluster],
) -> dict[str, adoption_pb2.AdoptedCluster]:
    """Two new ones of one name cannot both be taken in; the registry sees one part at a time."""
    new = [one for one in clusters if verdicts[one.cluster_id].outcome == "new"]
    count = Counter((one.user, one.milvus_name) for one in new)
    refused = {
        one.cluster_id: adoption_pb2.AdoptedCluster(
            cluster_id=one.cluster_id,
            outcome="refused",
            why="another cluster in EC2 has the same owner and name",
        )
        for one in new
        if count[(one.user, one.milvus_name)] > 1
    }
    return {**verdicts, **refused}


def _clusters(answers: Iterable[adoption_pb2.SurveyResponse]) -> list[cluster_pb2.Cluster]:
    return [one.cluster for one in answers if one.HasField("cluster")]


def merged(
    machines: Iterable[cluster_pb2.Cluster], groups: Iterable[cluster_pb2.Cluster]
) -> tuple[cluster_pb2.Cluster, ...]:
    """Clusters that have machines, each with its groups and whitelist, by id."""
    guarded = {one.cluster_id: one for one in groups}
    whole = []
    for one in sorted(machines, key=lambda one: one.cluster_id):
        made = cluster_pb2.Cluster()
        made.CopyFrom(one)
        if mine := guarded.get(one.cluster_id):
            made.status.security_groups.extend(mine.status.security_groups)
            made.whitelist.CopyFrom(mine.whitelist)
        whole.append(made)
    return tuple(whole)


def table(answer: Answer) -> Table:
    """Whose, what, where, and what becomes of it."""
    headings = ("CLUSTER", "USER", "NAME", "TYPE", "DISK", "MACHINES", "ADDRESS", "RULES")
    return plain.table(
        (*headings, "OUTCOME", "WHY"), (_row(one, answer) for one in answer.clusters)
    )


def _row(one: cluster_pb2.Cluster, answer: Answer) -> tuple[str, ...]:
    verdict = answer.verdicts[one.cluster_id]
    nodes = one.status.nodes
    address = one.status.address.public_ip or next((n.public_ip for n in nodes), "")
    return (
        one.cluster_id,
        one.user,
        one.milvus_name,
        one.spec.milvus_type,
        f"{one.spec.disk_gib} GiB",
        " ".join(node.instance_id for node in nodes),
        address or "private",
        str(len(one.whitelist.rules)),
        "adopted" if answer.acted and verdict.outcome == "new" else verdict.outcome,
        verdict.why,
    )
