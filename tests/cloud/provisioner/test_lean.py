"""What is left out of an answer must be nothing that Kite reads."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from kite import tags
from provisioner.adoption import survey
from provisioner.ec2 import see
from provisioner.ec2.lean import INSTANCE, RESERVATION, lean, moment
from provisioner.sweep import facts
from provisioner.tokens import token
from tests.cloud.strict.proof import launch

OWNER = ("test", "caaaaaaaaaaaaaaaa", 0, 1)


@pytest.fixture
def both(strict_ec2, clients_and_session):
    """The answer about one machine of ours, running then ended: whole, and as Kite reads it."""
    ec2 = strict_ec2.client()
    ec2.create_key_pair(KeyName="kite-test", KeyType="ed25519")
    owned = tags.pack(
        tags.node_tags(tags.NodeTags(*OWNER), user="alice", milvus_name="cats", role="master")
    )
    spec = [{"ResourceType": kind, "Tags": owned} for kind in ("instance", "volume")]
    disk = {"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 50, "VolumeType": "gp3"}}
    made = launch(
        ec2,
        ClientToken=token(*OWNER),
        KeyName="kite-test",
        TagSpecifications=spec,
        BlockDeviceMappings=[disk],
    )["InstanceId"]
    reader = clients_and_session[0]
    answers = [(ec2.describe_instances(), reader.describe_instances())]
    ec2.terminate_instances(InstanceIds=[made])
    answers.append((ec2.describe_instances(), reader.describe_instances()))
    return answers, ec2.describe_volumes()["Volumes"]


def test_every_fact_is_the_same(both):
    answers, volumes = both
    for whole, read in answers:
        assert len(read["Reservations"][0]["Instances"][0]) < len(
            whole["Reservations"][0]["Instances"][0]
        )
        assert see.facts_of(read) == see.facts_of(whole)
        (one,), (full,) = (a["Reservations"][0]["Instances"] for a in (read, whole))
        assert facts.instance(one) == facts.instance(full)
        adopted, wanted = (survey([i], volumes, [], install="test") for i in (one, full))
        assert adopted == wanted
    running = see.facts_of(answers[0][1])[0]
    assert running.launched_at_ms > 0
    assert running.data_volume
    assert see.facts_of(answers[1][1])[0].reason


def test_other_answers_are_whole(clients_and_session):
    model = clients_and_session[0].meta.service_model
    launched = model.operation_model("RunInstances").output_shape
    assert len(launched.members["Instances"].member.members) > len(INSTANCE)


def test_a_member_that_the_model_has_not_is_an_error(monkeypatch, strict_ec2):
    monkeypatch.setattr("provisioner.ec2.lean.RESERVATION", RESERVATION | {"Instance"})
    with pytest.raises(KeyError, match="Instance"):
        lean(strict_ec2.client(read_timeout=1))


@pytest.mark.parametrize(
    ("text", "hour"),
    [
        ("2026-11-23T17:14:31.000Z", 17),
        ("2026-11-23T17:14:31Z", 17),
        ("Mon, 23 Nov 2026 17:14:31 GMT", 17),
        ("2026-11-23T19:14:31+02:00", 17),
    ],
)
def test_times(text, hour):
    assert moment(text) == datetime(2026, 11, 23, hour, 14, 31, tzinfo=UTC)
