"""What must be true of an overload."""

from __future__ import annotations

from tests.overload.run import Outcome

MIB_AT_MOST = {"registry": 96, "provisioner": 128, "whitelist": 64, "bff": 64}
"""How much a service may grow by, 200 clusters at a time; measured: 30, 37, 19 and 13."""


def faults(outcome: Outcome) -> list[str]:
    """Sentences; none = all is well."""
    crowd = outcome.crowd
    found = [f"an answer that should not be: {one}" for one in crowd.strange]
    found += [f"a throttled call was shown: {one}" for one in crowd.throttled]
    if sum(outcome.ended.values()) != crowd.clusters:
        found.append(f"operations ended {dict(outcome.ended)}, not {crowd.clusters} of them")
    for document in outcome.documents:
        fine = document["status"] == "running" or (
            document["status"] == "failed" and document["reason"]
        )
        if not fine:
            found.append(f"{document['milvus-name']} is {document['status']} without a reason")
    if not outcome.refused:
        found.append("EC2 refused no call for its rate: no limit was met (too small a crowd?)")
    if outcome.deleted["succeeded"] != crowd.clusters:
        found.append(f"deletions ended {dict(outcome.deleted)}")
    found += [f"left in EC2: {one}" for one in outcome.left]
    for name, most in outcome.most.items():
        may = MIB_AT_MOST[name.rpartition("-")[0]]
        if (grown := most - outcome.before[name]) > may:
            found.append(f"{name} grew by {grown:.0f} MiB, more than {may}")
    return found
