"""The stored documents: the seed's field names first, ours beside them.

MongoEngine gives schema, validation and indexes. Nothing is ever read through these classes:
reading takes plain dictionaries (packing), which costs a tenth. Times are epoch milliseconds.
Somebody who opens the database sees the document of seed 000.
"""
# mypy: disable-error-code="misc"

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import mongoengine as me
from bson import SON

from kite.epoch import LAST_MS

NODE_WORDS = ("starting", "loading", "running", "failed")
ROLE_WORDS = ("master", "worker")
_serial = itertools.count(1)


class _Part(me.EmbeddedDocument):
    meta = {"abstract": True}  # noqa: RUF012 - MongoEngine's own form


def _time(name: str | None = None, *, required: bool = False) -> Any:
    """A moment that people are shown: one that no date can name would break every reader."""
    return me.LongField(db_field=name, required=required, min_value=0, max_value=LAST_MS)


class Group(_Part):
    group_name = me.StringField(db_field="group-name", required=True)
    real_name = me.StringField(db_field="real-name", default="")
    group_id = me.StringField(db_field="group-id", default="")
    kind = me.StringField(default="")


class Offer(_Part):
    instance_type = me.StringField(db_field="instance-type")
    subnet_id = me.StringField(db_field="subnet-id")


class Intent(_Part):
    client_token = me.StringField(db_field="client-token", max_length=64)
    image_id = me.StringField(db_field="image-id")
    instance_type = me.StringField(db_field="instance-type")
    subnet_id = me.StringField(db_field="subnet-id")
    security_group_ids = me.ListField(me.StringField(), db_field="security-group-ids")
    key_pair = me.StringField(db_field="key-pair")
    root_gib = me.IntField(db_field="root-gib")
    data_gib = me.IntField(db_field="data-gib")
    public_address = me.BooleanField(db_field="public-address")
    user_data_hash = me.StringField(db_field="user-data-hash")
    root_device = me.StringField(db_field="root-device")
    decided_at = _time("decided-at")


class Instance(_Part):
    node_type = me.StringField(db_field="node-type", choices=ROLE_WORDS, required=True)
    instance_id = me.StringField(db_field="instance-id", default="")
    status = me.StringField(required=True, choices=NODE_WORDS)
    key_pair = me.StringField(db_field="key-pair", default="")
    public_ip = me.StringField(db_field="public-ip", default="")
    private_ip = me.StringField(db_field="private-ip", default="")
    slot = me.IntField(required=True, min_value=0)
    attempt = me.IntField(required=True, min_value=0)
    token = me.StringField(default="")
    gone = me.BooleanField()
    why = me.StringField(default="")
    reason = me.StringField(default="")
    since = _time("since")
    deadline = _time("deadline")
    intent = me.EmbeddedDocumentField(Intent)
    launched_at = _time("launched-at")
    launches = me.ListField(_time())
    retiring = me.BooleanField()
    install_step = me.StringField(db_field="install-step", default="")
    refused = me.ListField(me.EmbeddedDocumentField(Offer))
    taken_over = me.BooleanField(db_field="taken-over")


class Address(_Part):
    allocation_id = me.StringField(db_field="allocation-id", default="")
    public_ip = me.StringField(db_field="public-ip", default="")
    association_id = me.StringField(db_field="association-id", default="")


class Condition(_Part):
    type = me.StringField(required=True)
    ok = me.BooleanField()
    reason = me.StringField()
    description = me.StringField()
    since = _time("since")


class Rule(_Part):
    source_ip = me.StringField(db_field="source-ip", required=True)
    port_type = me.StringField(db_field="port-type", required=True)
    note = me.StringField()
    expires_at = _time("expires-at")


class Whitelist(_Part):
    revision = me.LongField()
    rules = me.ListField(me.EmbeddedDocumentField(Rule))


class Lease(_Part):
    holder = me.StringField()
    fence = me.LongField(min_value=0)
    until = me.LongField()
    generation = me.LongField()
    claim = me.LongField()


class Step(_Part):
    name = me.StringField(required=True)
    state = me.StringField()
    description = me.StringField()
    started_at = _time("started-at")
    ended_at = _time("ended-at")


class Detail(_Part):
    name = me.StringField()
    value = me.StringField()


class OperationPart(_Part):
    operation_id = me.StringField(db_field="operation-id", required=True)
    type = me.StringField(required=True)
    username = me.StringField()
    milvus_name = me.StringField(db_field="milvus-name")
    cluster_id = me.StringField(db_field="cluster-id")
    state = me.StringField(required=True)
    progress = me.IntField(min_value=0, max_value=100)
    steps = me.ListField(me.EmbeddedDocumentField(Step))
    reason = me.StringField()
    description = me.StringField()
    request_id = me.StringField(db_field="request-id")
    started_at = _time("started-at")
    ended_at = _time("ended-at")


class EventPart(_Part):
    cluster_id = me.StringField(db_field="cluster-id", required=True)
    number = me.LongField(required=True, min_value=1)
    at = _time("at")
    type = me.StringField(required=True)
    description = me.StringField()
    origin = me.StringField()
    details = me.ListField(me.EmbeddedDocumentField(Detail))


class Cluster(me.Document):
    meta = {  # noqa: RUF012
        "abstract": True,
        "collection": "clusters",
        "indexes": [
            # Unique among live clusters only: the field is absent in a tombstone (and never null).
            {"fields": ["live_key"], "unique": True, "sparse": True, "name": "live_key"},
            {"fields": ["quota_key"], "unique": True, "sparse": True, "name": "quota_key"},
            {"fields": ["due_at"], "name": "due-at"},
            {"fields": ["changed_at"], "name": "changed-at"},
            {"fields": ["username", "milvus_name"], "name": "owner"},
        ],
    }
    cluster_id = me.StringField(primary_key=True)
    username = me.StringField(required=True)
    milvus_name = me.StringField(db_field="milvus-name", required=True)
    milvus_url = me.StringField(db_field="milvus-url", default="")
    milvus_port = me.StringField(db_field="milvus-port", default="")
    milvus_type = me.StringField(db_field="milvus-type", required=True)
    subnet_id = me.StringField(db_field="subnet-id", default="")
    security_groups = me.ListField(me.EmbeddedDocumentField(Group), db_field="security-groups")
    instances = me.ListField(me.EmbeddedDocumentField(Instance))
    gone_instances = me.ListField(me.EmbeddedDocumentField(Instance), db_field="gone-instances")

    disk_size = me.IntField(db_field="disk-size", required=True)
    address_mode = me.StringField(db_field="address-mode", required=True)
    master_type = me.StringField(db_field="master-type", required=True)
    worker_type = me.StringField(db_field="worker-type", default="")
    workers = me.IntField(required=True, min_value=0)
    wanted = me.BooleanField(required=True)
    generation = me.LongField(required=True, min_value=1)
    whitelist = me.EmbeddedDocumentField(Whitelist)

    state = me.StringField(required=True)
    reason = me.StringField(default="")
    why = me.StringField(default="")
    observed_generation = me.LongField(db_field="observed-generation")
    observed_at = _time("observed-at")
    address_intended = me.BooleanField(db_field="address-intended")
    address = me.EmbeddedDocumentField(Address)
    conditions = me.ListField(me.EmbeddedDocumentField(Condition))

    operation_id = me.StringField(db_field="operation-id")
    rev = me.LongField(required=True, min_value=1)
    created_at = _time("created-at", required=True)
    deleted_at = _time("deleted-at")

    writes = me.LongField(required=True, min_value=1)
    live_key = me.StringField()
    quota_key = me.StringField()
    changed_at = me.LongField(db_field="changed-at")
    due_at = me.LongField(db_field="due-at")
    lease = me.EmbeddedDocumentField(Lease)
    body_hash = me.StringField(db_field="body-hash")
    last_event = me.LongField(db_field="last-event")
    operations = me.ListField(me.EmbeddedDocumentField(OperationPart))
    events = me.ListField(me.EmbeddedDocumentField(EventPart))
    told = me.BooleanField()
    stamp = me.StringField()
    commit_id = me.StringField(db_field="commit-id")
    commit_number = me.LongField(db_field="commit-number", min_value=0)
    expires_at = me.LongField(db_field="expires-at")


class Operation(me.Document):
    meta = {  # noqa: RUF012
        "abstract": True,
        "collection": "operations",
        "indexes": [
            {"fields": ["username", "started_at"], "name": "owner"},
            {"fields": ["state", "type"], "name": "running"},
            {"fields": ["cluster_id"], "name": "cluster-id"},
        ],
    }
    operation_id = me.StringField(primary_key=True)
    type = me.StringField(required=True)
    username = me.StringField(required=True)
    milvus_name = me.StringField(db_field="milvus-name")
    cluster_id = me.StringField(db_field="cluster-id")
    state = me.StringField(required=True)
    progress = me.IntField(min_value=0, max_value=100)
    steps = me.ListField(me.EmbeddedDocumentField(Step))
    reason = me.StringField()
    description = me.StringField()
    request_id = me.StringField(db_field="request-id")
    started_at = _time("started-at")
    ended_at = _time("ended-at")
    # The cluster's `writes` that told this; a late writer never overwrites a newer one.
    writes = me.LongField(required=True, min_value=0)


class Event(me.Document):
    """Its id is cluster and number, so that a number is given once and pages need no search."""

    meta = {  # noqa: RUF012
        "abstract": True,
        "collection": "events",
        "indexes": [{"fields": ["cluster_id"], "name": "cluster-id"}],
    }
    event_id = me.StringField(primary_key=True)
    cluster_id = me.StringField(db_field="cluster-id", required=True)
    number = me.LongField(required=True, min_value=1)
    at = _time("at")
    type = me.StringField(required=True)
    description = me.StringField()
    origin = me.StringField()
    details = me.ListField(me.EmbeddedDocumentField(Detail))


class Duty(me.Document):
    meta = {"abstract": True, "collection": "duties"}  # noqa: RUF012
    duty = me.StringField(primary_key=True)
    lease = me.EmbeddedDocumentField(Lease, required=True)
    writes = me.LongField(required=True, min_value=1)


class Key(me.Document):
    meta = {  # noqa: RUF012
        "abstract": True,
        "collection": "idempotency-keys",
        "indexes": [{"fields": ["expires_at"], "name": "expires-at"}],
    }
    key_id = me.StringField(primary_key=True)
    username = me.StringField(required=True)
    key = me.StringField(required=True)
    body_hash = me.StringField(db_field="body-hash", required=True)
    cluster_id = me.StringField(db_field="cluster-id", required=True)
    operation_id = me.StringField(db_field="operation-id")
    expires_at = me.LongField(db_field="expires-at", required=True)


@dataclass(frozen=True, slots=True)
class Kind:
    """A document class and the collection its documents live in."""

    document: Any
    collection: Any

    @property
    def name(self) -> str:
        return str(self.collection.name)


@dataclass(frozen=True, slots=True)
class Bound:
    """The documents of one database."""

    clusters: Kind
    operations: Kind
    events: Kind
    duties: Kind
    keys: Kind

    def each(self) -> tuple[Kind, ...]:
        return (self.clusters, self.operations, self.events, self.duties, self.keys)


def bind(alias: str) -> Bound:
    """Document classes that live in the database connected under `alias`; makes no index yet."""
    number = next(_serial)

    def kind(document: Any) -> Kind:
        meta = {"db_alias": alias, "auto_create_index": False}
        bound: Any = type(f"{document.__name__}{number}", (document,), {"meta": meta})
        return Kind(bound, bound._get_collection())  # noqa: SLF001 - pymongo's own collection

    return Bound(kind(Cluster), kind(Operation), kind(Event), kind(Duty), kind(Key))


def checked(kind: Kind, content: Mapping[str, object]) -> SON[str, Any]:
    """What to store: `content` after MongoEngine's validation, in the order of the schema.

    Raises:
        mongoengine.errors.ValidationError, FieldDoesNotExist: it does not fit the schema.
    """
    instance = kind.document._from_son(SON(content))  # noqa: SLF001 - the documented way from raw data
    instance.validate()
    stored: SON[str, Any] = instance.to_mongo()
    return stored
