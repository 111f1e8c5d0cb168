"""EC2 against the registry, and the registry against what users were told."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from rich.table import Table

from kite import tags
from tests.chaos import rules

QUIET = {"terminated"}
STOPPED = "INSTANCE_STOPPED"


@dataclass
class Row:
    """One kind of thing: how many the records want, how many there are, and what differs."""

    kind: str
    wanted: int
    found: int
    missing: list[str] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)

    @property
    def fine(self):
        return not (self.missing or self.extra)


@dataclass(frozen=True)
class Sight:
    """Everything of one install that EC2 shows."""

    instances: list
    volumes: list
    addresses: list
    interfaces: list
    groups: list
    keys: list


def look(ec2):
    """EC2 as it is; one account holds one install."""
    pages = ec2.get_paginator("describe_instances").paginate()
    instances = [i for page in pages for r in page["Reservations"] for i in r["Instances"]]
    return Sight(
        [i for i in instances if i["State"]["Name"] not in QUIET],
        ec2.describe_volumes()["Volumes"],
        ec2.describe_addresses()["Addresses"],
        ec2.describe_network_interfaces()["NetworkInterfaces"],
        [
            g
            for g in ec2.describe_security_groups()["SecurityGroups"]
            if g["GroupName"] != "default"
        ],
        ec2.describe_key_pairs()["KeyPairs"],
    )


def compare(documents, users, sight, *, disturbed=(), control=()):
    """Rows of the table; `documents` are all clusters as the API shows them.

    `disturbed` are the ids of clusters that lost a machine by our own hand, `control` the ranges
    from which the control plane may come.
    """
    live = [one for d in documents for one in d["instances"] if one["instance-id"]]
    standing = [one for one in live if one["status"] != "failed"]
    ids = {one["instance-id"] for one in standing}
    return [
        _told(documents, users),
        _lists(documents, users),
        _ended(documents, disturbed),
        _row("instances", ids, [i["InstanceId"] for i in sight.instances]),
        _row(
            "instances told to be stopped",
            [one["instance-id"] for one in live if one.get("reason") == STOPPED],
            [i["InstanceId"] for i in sight.instances if _state(i) == "stopped"],
        ),
        _slots(sight.instances),
        _volumes(sight, ids),
        _addresses(documents, standing, sight),
        _row(
            "interfaces",
            ids,
            [n.get("Attachment", {}).get("InstanceId", n["NetworkInterfaceId"])
             for n in sight.interfaces],
        ),
        _groups(documents, sight),
        _rules(documents, sight, control),
        _row("key pairs", (), [k["KeyName"] for k in sight.keys]),
    ]  # fmt: skip


def _row(kind, wanted, found):
    """Sets compared; what is found twice is extra."""
    want, have = Counter(set(wanted)), Counter(found)
    return Row(
        kind, len(set(wanted)), len(found), sorted(want - have), sorted((have - want).elements())
    )


def _state(instance):
    return instance.get("State", {}).get("Name", "running")


def _told(documents, users):
    """Clusters that users were promised, and none that they saw deleted."""
    there = {(d["username"], d["milvus-name"]) for d in documents}
    sure = {(u.name, w.name) for u in users for w in u.wishes.values() if w.there}
    gone = {(u.name, w.name) for u in users for w in u.wishes.values() if w.there is False}
    return Row(
        "clusters, as users were told",
        len(sure),
        len(there),
        [f"{u}/{n}" for u, n in sorted(sure - there)],
        [f"{u}/{n}" for u, n in sorted(there & gone)],
    )


def _lists(documents, users):
    """Stored whitelists against the last one that was acknowledged."""
    wishes = {(u.name, w.name): w for u in users for w in u.wishes.values()}
    row = Row("whitelists, as users were told", 0, 0)
    for document in documents:
        wish = wishes.get((document["username"], document["milvus-name"]))
        row.found += 1
        if wish is None or frozenset(document["sources"]) in wish.lists:
            row.wanted += 1
        else:
            row.extra.append(f"{document['milvus-name']}: {sorted(document['sources'])}")
            row.missing.append(str([sorted(one) for one in wish.lists]))
    return row


def _ended(documents, disturbed):
    """A cluster rests: running, with a machine that somebody stopped, or failed for our doing.

    Services that die and calls that are lost are no reason to fail.
    """
    states = Counter(d["status"] for d in documents)
    restless = [
        f"{d['milvus-name']} is {d['status']}: {d['reason']} {d['why']}"
        for d in documents
        if d["status"] != "running"
        and not (d["status"] == "failed" and d["reason"] and d["cluster-id"] in disturbed)
        and (d["status"], d["reason"]) != ("degraded", STOPPED)
    ]
    return Row("clusters at rest", len(documents), sum(states.values()), restless)


def _slots(instances):
    """At most one live machine per cluster and slot."""
    count = Counter()
    for one in instances:
        marks = tags.unpack(one.get("Tags"))
        count[marks.get(tags.CLUSTER), marks.get(tags.SLOT)] += 1
    double = [f"{slot}: {number}" for slot, number in count.items() if number > 1]
    return Row("slots, one machine each", len(count), sum(count.values()), extra=double)


def _volumes(sight, ids):
    homes = [v["Attachments"][0]["InstanceId"] if v["Attachments"] else v["VolumeId"]
             for v in sight.volumes]  # fmt: skip
    want = Counter(dict.fromkeys(ids, 2))  # root and data
    have = Counter(homes)
    return Row(
        "volumes",
        want.total(),
        have.total(),
        sorted((want - have).elements()),
        sorted((have - want).elements()),
    )


def _addresses(documents, standing, sight):
    """One per cluster, on its machine."""
    masters = {one["instance-id"] for one in standing if one["node-type"] == "master"}
    where = defaultdict(list)
    for one in sight.addresses:
        where[tags.unpack(one.get("Tags")).get(tags.CLUSTER)].append(one)
    row = Row("addresses", len(documents), len(sight.addresses))
    known = {d["cluster-id"] for d in documents}
    for document in documents:
        mine = where[document["cluster-id"]]
        row.extra += [one["PublicIp"] for one in mine[1:]]
        if not mine and any(one["slot"] == 0 for one in document["instances"]):
            row.missing.append(document["milvus-name"])
        if document["status"] == "running":
            row.missing += [o["PublicIp"] for o in mine if o.get("InstanceId") not in masters]
    row.extra += [a["PublicIp"] for c, all_ in where.items() if c not in known for a in all_]
    return row


def _groups(documents, sight):
    wanted = {g["group-id"] for d in documents for g in d["security-groups"]}
    return _row("security groups", wanted, [g["GroupId"] for g in sight.groups])


def _rules(documents, sight, control):
    """What each group lets in against what it should."""
    by_id = {g["GroupId"]: g for g in sight.groups}
    row = Row("rules", 0, 0)
    for document in documents:
        for group in document["security-groups"]:
            if group["group-id"] not in by_id:
                continue
            have = rules.held(by_id[group["group-id"]])
            want = rules.wanted(group, document["sources"], control)
            row.wanted += len(want)
            row.found += len(have)
            whose = f"{document['milvus-name']} {group['kind']}"
            row.missing += sorted(f"{whose} {one}" for one in want - have)
            row.extra += sorted(f"{whose} {one}" for one in have - want)
    return row


def table(title, rows):
    drawn = Table(title=title, title_justify="left")
    for name in ("kind", "wanted", "in EC2", "missing", "extra"):
        drawn.add_column(name, justify="right" if name in {"wanted", "in EC2"} else "left")
    for row in rows:
        words = [", ".join(part[:6]) for part in (row.missing, row.extra)]
        mark = "[green]" if row.fine else "[red]"
        drawn.add_row(f"{mark}{row.kind}", str(row.wanted), str(row.found), *words)
    return drawn
