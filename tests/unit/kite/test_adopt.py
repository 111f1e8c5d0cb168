"""`kite adopt` over services in memory; the round trip is in tests/cloud."""

import io
from dataclasses import dataclass, field

import pytest
from rich.console import Console

from kite.cli import adopt
from kite.errors import Unavailable
from kite.settings import Common
from kite.v1.adoption_pb2 import AdoptClustersResponse, AdoptedCluster, SurveyResponse
from kite.v1.cluster_pb2 import Cluster


def machine(cluster_id, instance="i-1", name=""):
    cluster = Cluster(cluster_id=cluster_id, user="alice", milvus_name=name or f"cats-{cluster_id}")
    cluster.spec.milvus_type, cluster.spec.disk_gib = "M5", 50
    cluster.status.nodes.add(instance_id=instance, public_ip="54.0.0.1")
    return cluster


def guarded(cluster_id, *cidrs):
    cluster = Cluster(cluster_id=cluster_id)
    cluster.status.security_groups.add(group_id=f"sg-{cluster_id}")
    for cidr in cidrs:
        cluster.whitelist.rules.add(source_ip=cidr)
    return cluster


@dataclass
class Surveyor:
    clusters: list = field(default_factory=list)
    notes: list = field(default_factory=list)

    async def survey(self):
        return [
            *(SurveyResponse(cluster=one) for one in self.clusters),
            *(SurveyResponse(note=one) for one in self.notes),
        ]


@dataclass
class Registry:
    """Everything is new, but what `says` tells otherwise."""

    says: dict = field(default_factory=dict)
    asked: list = field(default_factory=list)

    async def adopt(self, request):
        self.asked.append(request)
        verdicts = [
            AdoptedCluster(cluster_id=c.cluster_id, outcome=self.says.get(c.cluster_id, "new"))
            for c in request.clusters
        ]
        return AdoptClustersResponse(clusters=verdicts, acted=request.act)


async def ask(registry, *, act=False, only=()):
    machines = Surveyor([machine("cb"), machine("ca")], ["i-9: forged"])
    groups = Surveyor([guarded("ca", "198.18.88.11/32"), guarded("cz")])
    return await adopt.adopt(machines, groups, registry, act=act, only=only)


async def test_machines_and_groups_of_a_cluster_become_one():
    answer = await ask(Registry())
    assert [one.cluster_id for one in answer.clusters] == ["ca", "cb"]
    assert [one.group_id for one in answer.clusters[0].status.security_groups] == ["sg-ca"]
    assert [one.source_ip for one in answer.clusters[0].whitelist.rules] == ["198.18.88.11/32"]
    assert not answer.clusters[1].whitelist.rules
    assert answer.notes == ("i-9: forged", "cz: security groups, but no machine")


async def test_by_itself_it_only_asks():
    registry = Registry()
    answer = await ask(registry)
    assert [one.act for one in registry.asked] == [False]
    assert (answer.acted, answer.code) == (False, adopt.OPEN)


async def test_all_are_asked_for_before_any_is_written():
    registry = Registry()
    answer = await ask(registry, act=True)
    assert [one.act for one in registry.asked] == [False, True]
    assert (answer.acted, answer.code) == (True, adopt.DONE)


async def test_one_that_is_refused_keeps_all_out():
    registry = Registry({"cb": "refused"})
    answer = await ask(registry, act=True)
    assert [one.act for one in registry.asked] == [False]
    assert (answer.acted, answer.code) == (False, adopt.OPEN)


async def test_those_that_are_named_come_alone():
    registry = Registry({"cb": "refused"})
    answer = await ask(registry, act=True, only=["ca"])
    assert [one.cluster_id for one in answer.clusters] == ["ca"]
    assert answer.code == adopt.DONE


async def test_what_is_known_or_was_deleted_leaves_nothing_to_do():
    answer = await ask(Registry({"ca": "known", "cb": "deleted"}))
    assert answer.code == adopt.DONE


async def test_many_go_in_parts():
    registry = Registry()
    machines = Surveyor([machine(f"c{n:04}") for n in range(adopt.AT_ONCE + 1)])
    answer = await adopt.adopt(machines, Surveyor(), registry, act=True)
    assert [len(one.clusters) for one in registry.asked] == 2 * [adopt.AT_ONCE, 1]
    assert len(answer.verdicts) == adopt.AT_ONCE + 1


@pytest.mark.parametrize("apart", [1, adopt.AT_ONCE])
async def test_two_of_one_name_keep_all_out_however_far_apart_they_are(apart):
    machines = [machine(f"c{n:04}") for n in range(adopt.AT_ONCE + 1)]
    machines[apart] = machine(f"c{apart:04}", name="cats-c0000")
    registry = Registry()
    answer = await adopt.adopt(Surveyor(machines), Surveyor(), registry, act=True)
    assert not any(one.act for one in registry.asked)
    assert (answer.acted, answer.code) == (False, adopt.OPEN)
    refused = {k: one.why for k, one in answer.verdicts.items() if one.outcome == "refused"}
    why = "another cluster in EC2 has the same owner and name"
    assert refused == {"c0000": why, f"c{apart:04}": why}


async def test_of_two_of_one_name_a_person_may_take_one():
    machines = Surveyor([machine("ca", name="cats"), machine("cb", name="cats")])
    answer = await adopt.adopt(machines, Surveyor(), Registry(), act=True, only=["cb"])
    assert (answer.acted, answer.code) == (True, adopt.DONE)


async def test_a_namesake_that_the_registry_knows_or_has_deleted_is_no_double():
    machines = Surveyor([machine(one, name="cats") for one in ("ca", "cb")])
    answer = await adopt.adopt(machines, Surveyor(), Registry({"cb": "deleted"}), act=True)
    assert (answer.acted, answer.code) == (True, adopt.DONE)


async def test_the_table_tells_whose_what_and_where():
    out = io.StringIO()
    answer = await ask(Registry({"cb": "known"}), act=True)
    Console(file=out, width=200).print(adopt.table(answer))
    lines = [" ".join(line.split()) for line in out.getvalue().splitlines()]
    assert lines == [
        "CLUSTER USER NAME TYPE DISK MACHINES ADDRESS RULES OUTCOME WHY",
        "ca alice cats-ca M5 50 GiB i-1 54.0.0.1 1 adopted",
        "cb alice cats-cb M5 50 GiB i-1 54.0.0.1 0 known",
    ]


RUNS = [
    (Surveyor(), Registry(), True, adopt.DONE, "no cluster of this install"),
    (Surveyor([machine("ca")]), Registry(), True, adopt.DONE, "adopted"),
    (Surveyor([machine("ca")]), Registry(), False, adopt.OPEN, "see --yes"),
    (Surveyor([machine("ca")]), Registry({"ca": "refused"}), True, adopt.OPEN, "one is refused"),
]


@pytest.mark.parametrize(("machines", "registry", "act", "code", "said"), RUNS)
def test_the_command(machines, registry, act, code, said, monkeypatch, capsys):
    parts = {"provisioner": machines, "whitelist": Surveyor([], ["a note"]), "registry": registry}
    monkeypatch.setattr(adopt, "Remote", lambda target, name: parts[name])
    assert adopt.run(Common(), act=act, only=()) == code
    told = capsys.readouterr()
    assert said in told.out
    assert "kite: a note" in told.err


def test_the_command_when_a_service_is_away(monkeypatch, capsys):
    class Away:
        async def survey(self):
            raise Unavailable("provisioner is away")

    monkeypatch.setattr(adopt, "Remote", lambda target, name: Away())
    assert adopt.run(Common(), act=True, only=()) == adopt.UNDECIDED
    assert "provisioner is away" in capsys.readouterr().err
