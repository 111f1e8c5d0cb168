"""Calls of the registry that would do, but for one field: over either store none is a defect.

Messages of any content (test_grpc_fuzz.py) meet the first refusal; these come as far as the store.
"""

from __future__ import annotations

import asyncio
from functools import partial

import grpc
import pytest

from kite.v1 import adoption_pb2, cluster_pb2, controller_pb2, registry_pb2
from kite.v1 import operation_pb2 as ops
from registry_svc.embedded import Embedded
from tests.rpc.registry.conftest import NAME, USER, hosted
from tests.store.conftest import wire_server  # noqa: F401 - a fixture
from tests.store.world import NOON, HandClock, on_mongodb
from tests.strangers.reflected import TOKENS, methods, spoiled
from tests.strangers.test_grpc_fuzz import DEFECT, EXAMPLES, check, is_serving, often

pytestmark = pytest.mark.timeout(120 + 20 * EXAMPLES)
# A lease given back would have every later commit refused at the door.
SPARED = frozenset({"release", "gone"})
LAST = {"RegistryService/DeleteCluster"}  # of the only cluster


@pytest.fixture(params=["embedded", pytest.param("wire", marks=pytest.mark.wire)])
def engine(request, tmp_path):
    if request.param == "embedded":
        engine = Embedded(tmp_path)
        yield engine
        engine.close()
        return
    with on_mongodb(request.getfixturevalue("wire_server").uri) as engine:
        yield engine


NODE = cluster_pb2.Node(
    role=cluster_pb2.ROLE_MASTER, state=cluster_pb2.NODE_STATE_RUNNING, state_since_ms=NOON,
    attempt=1, token="t", intent=cluster_pb2.LaunchIntent(decided_at_ms=NOON), launches_ms=[NOON],
)  # fmt: skip
STATUS = cluster_pb2.ClusterStatus(
    state=cluster_pb2.CLUSTER_STATE_RUNNING, nodes=[NODE], observed_at_ms=NOON,
    conditions=[cluster_pb2.Condition(type="x", since_ms=NOON)],
    security_groups=[cluster_pb2.SecurityGroup(logical_name="sg-base")],
    address=cluster_pb2.Address(public_ip="1.2.3.4"),
)  # fmt: skip
RULE = cluster_pb2.Rule(
    source_ip="1.2.3.4/32", port_type=cluster_pb2.PORT_TYPE_MILVUS, expires_at_ms=NOON + 1
)
STEP = ops.Step(name="x", state=ops.OPERATION_STATE_RUNNING, started_at_ms=NOON)
OWNER = {"user": USER, "milvus_name": NAME}


def whole_requests(claimed):
    """A request of each kind that the registry would carry out, by method."""
    known = claimed.cluster.cluster_id
    held = {"cluster_id": known, "fence": claimed.fence}
    operation = ops.Operation(
        operation_id="op-1", type="t", state=ops.OPERATION_STATE_RUNNING, cluster_id=known,
        started_at_ms=NOON, steps=[STEP], **OWNER,
    )  # fmt: skip
    strange = cluster_pb2.Cluster(
        cluster_id="caaaaaaaaaaaaaaaa", user="bob", milvus_name="dogs", status=STATUS,
        spec=cluster_pb2.ClusterSpec(
            milvus_type="M5", disk_gib=50, master_instance_type="m5.large",
            address_mode=cluster_pb2.ADDRESS_MODE_AUTO,
        ),
        whitelist=cluster_pb2.Whitelist(rules=[RULE]),
    )  # fmt: skip
    ours = claimed.operation
    return {
        "RegistryService/CreateCluster": registry_pb2.CreateClusterRequest(
            user="carol", milvus_name=NAME, milvus_type="M5", disk_gib=50, rules=[RULE]
        ),
        "RegistryService/SetWhitelist": registry_pb2.SetWhitelistRequest(rules=[RULE], **OWNER),
        "ControllerService/Claim": controller_pb2.ClaimRequest(holder="p2", most=5),
        "ControllerService/Renew": controller_pb2.RenewRequest(
            holder="p1", held=[controller_pb2.Held(**held)]
        ),
        "ControllerService/Commit": controller_pb2.CommitRequest(
            holder="p1", status=STATUS, events=[ops.Event(type="x", at_ms=NOON)],
            operation=ops.Operation(operation_id=ours.operation_id, steps=[STEP]), **held,
        ),
        "ControllerService/ClaimDuty": controller_pb2.ClaimDutyRequest(duty="sweep", holder="p1"),
        "OperationService/RecordOperation": ops.RecordOperationRequest(operation=operation),
        "OperationService/AppendEvents": ops.AppendEventsRequest(
            cluster_id=known, events=[ops.Event(type="x", at_ms=NOON, details={"a": "b"})]
        ),
        "OperationService/GetOperation": ops.GetOperationRequest(operation_id=ours.operation_id),
        "AdoptionService/AdoptClusters": adoption_pb2.AdoptClustersRequest(
            clusters=[strange], act=True
        ),
    }  # fmt: skip


def whole_request(method, whole):
    if str(method) in whole:
        return method.request.FromString(whole[str(method)].SerializeToString())
    fields = method.request.DESCRIPTOR.fields_by_name.keys()
    return method.request(**{key: OWNER[key] for key in OWNER.keys() & fields})


def fuzz(port, claimed):
    whole, target = whole_requests(claimed), f"127.0.0.1:{port}"
    found = sorted(methods(target), key=lambda method: str(method) in LAST)
    assert whole.keys() | LAST <= set(map(str, found))
    with grpc.insecure_channel(target) as channel:
        for method in found:
            request, sent = whole_request(method, whole), partial(check, channel, method)
            fields = request.DESCRIPTOR.fields_by_name.keys()
            if fields:
                often(sent, spoiled(request, SPARED).map(raw))
            if "page_token" in fields:
                often(sent, TOKENS.map(partial(with_token, request)).map(raw))
        assert is_serving(channel)


def raw(message):
    return message.SerializeToString()


def with_token(request, token):
    request.page_token = token
    return request


async def test_one_odd_field_is_refused_or_stored_over_either_store(engine, capfd):
    async with hosted(engine, HandClock()) as registry:
        await registry.create()
        [claimed] = await registry.claim("p1")
        await asyncio.to_thread(fuzz, registry.port, claimed)
        await asyncio.sleep(0)
    assert DEFECT not in "".join(capfd.readouterr())
