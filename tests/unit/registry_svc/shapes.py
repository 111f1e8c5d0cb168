"""Any message the registry may be given, for hypothesis."""

from dataclasses import replace

from hypothesis import strategies as st

from kite.epoch import LAST_MS
from kite.v1 import cluster_pb2 as pb
from kite.v1 import operation_pb2 as ops
from registry_svc.leases import Lease
from registry_svc.record import DutyRecord, KeyRecord, Record

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
NAME = st.text("abcdefgh-0123456789", min_size=1, max_size=12)
COUNT = st.integers(0, 2**31 - 1)
TIME = st.integers(0, LAST_MS)


def one_of(enumeration):
    return st.sampled_from([number for number in enumeration.values() if number])


intents = st.builds(
    pb.LaunchIntent,
    client_token=NAME,
    image_id=TEXT,
    instance_type=TEXT,
    subnet_id=TEXT,
    security_group_ids=st.lists(TEXT, max_size=3),
    key_pair=TEXT,
    root_gib=COUNT,
    data_gib=COUNT,
    public_address=st.booleans(),
    user_data_hash=TEXT,
    decided_at_ms=TIME,
    root_device=TEXT,
)
nodes = st.builds(
    pb.Node,
    role=one_of(pb.Role),
    attempt=st.just(1),
    token=TEXT,
    state=one_of(pb.NodeState),
    why=TEXT,
    reason=TEXT,
    state_since_ms=TIME,
    deadline_ms=TIME,
    intent=st.none() | intents,
    instance_id=TEXT,
    key_pair=TEXT,
    public_ip=TEXT,
    private_ip=TEXT,
    launched_at_ms=TIME,
    launches_ms=st.lists(TIME, max_size=3),
    retiring=st.booleans(),
    install_step=TEXT,
    refused=st.lists(st.builds(pb.Offer, instance_type=TEXT, subnet_id=TEXT), max_size=2),
)


def _slotted(found):
    for slot, node in enumerate(found):
        node.slot = slot
    return found


statuses = st.builds(
    pb.ClusterStatus,
    state=one_of(pb.ClusterState),
    observed_generation=TIME,
    observed_at_ms=TIME,
    reason=TEXT,
    why=TEXT,
    milvus_url=TEXT,
    milvus_port=TEXT,
    subnet_id=TEXT,
    security_groups=st.lists(
        st.builds(pb.SecurityGroup, logical_name=NAME, group_name=TEXT, group_id=TEXT, kind=TEXT),
        max_size=3,
    ),
    nodes=st.lists(nodes, max_size=4).map(_slotted),
    address=st.none()
    | st.builds(pb.Address, allocation_id=TEXT, public_ip=TEXT, association_id=TEXT),
    conditions=st.lists(
        st.builds(
            pb.Condition,
            type=NAME,
            ok=st.booleans(),
            reason=TEXT,
            description=TEXT,
            since_ms=TIME,
        ),
        max_size=2,
    ),
    address_intended=st.booleans(),
)
specs = st.builds(
    pb.ClusterSpec,
    milvus_type=NAME,
    disk_gib=COUNT,
    address_mode=one_of(pb.AddressMode),
    master_instance_type=NAME,
    worker_instance_type=TEXT,
    workers=COUNT,
    wanted=st.booleans(),
)
rules = st.builds(
    pb.Rule, source_ip=NAME, port_type=one_of(pb.PortType), note=TEXT, expires_at_ms=TIME
)
clusters = st.builds(
    pb.Cluster,
    cluster_id=NAME,
    user=NAME,
    milvus_name=NAME,
    spec=specs,
    status=statuses,
    whitelist=st.builds(pb.Whitelist, rules=st.lists(rules, max_size=3), revision=TIME),
    generation=st.integers(1, 2**53),
    rev=st.integers(1, 2**53),
    created_at_ms=TIME,
    operation_id=NAME,
    deleted_at_ms=st.just(0) | TIME,
)
operations = st.builds(
    ops.Operation,
    operation_id=NAME,
    type=NAME,
    user=NAME,
    milvus_name=TEXT,
    cluster_id=TEXT,
    state=one_of(ops.OperationState),
    progress=st.integers(0, 100),
    steps=st.lists(
        st.builds(
            ops.Step,
            name=NAME,
            state=one_of(ops.OperationState),
            description=TEXT,
            started_at_ms=TIME,
            ended_at_ms=TIME,
        ),
        max_size=3,
    ),
    reason=TEXT,
    description=TEXT,
    request_id=TEXT,
    started_at_ms=TIME,
    ended_at_ms=TIME,
)
events = st.builds(
    ops.Event,
    cluster_id=NAME,
    number=st.integers(1, 2**53),
    at_ms=TIME,
    type=NAME,
    description=TEXT,
    origin=TEXT,
    details=st.dictionaries(TEXT, TEXT, max_size=3),
)
leases = st.builds(Lease, TEXT, TIME, TIME, TIME)


def _settled(record):
    """A tombstone holds no place."""
    return record if record.live else replace(record, quota_number=0)


records = st.builds(
    Record,
    cluster=clusters,
    writes=st.integers(1, 2**53),
    lease=leases,
    due_at_ms=TIME,
    changed_at_ms=TIME,
    body_hash=TEXT,
    quota_number=COUNT,
    last_event=TIME,
    operations=st.lists(operations, max_size=2).map(tuple),
    events=st.lists(events, max_size=2).map(tuple),
    told=st.booleans(),
    expires_at_ms=TIME,
).map(_settled)
duties = st.builds(DutyRecord, NAME, leases, st.integers(1, 2**53))
keys = st.builds(KeyRecord, NAME, NAME, NAME, NAME, TEXT, TIME)
