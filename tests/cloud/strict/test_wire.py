import socket
import urllib.error
import urllib.request
from xml.etree import ElementTree as ET

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.strict.call import Refusal
from localcloud.strict.control import Control
from localcloud.strict.inproc import POOL, running
from localcloud.strict.listen import Incoming
from localcloud.strict.server import Ec2Api
from localcloud.strict.wire import code_in, decode, encode, form_of, refusal_reply, signed_for
from tests.cloud.strict.proof import launch, refused

WHO = {"account": "123456789012", "region": "us-east-1"}


def test_a_call_is_read_with_its_kinds():
    form = {
        "Action": "RunInstances",
        "Version": "2016-11-15",
        "MinCount": "1",
        "DryRun": "true",
        "SecurityGroupId.1": "sg-1",
        "SecurityGroupId.2": "sg-2",
        "TagSpecification.1.ResourceType": "instance",
        "TagSpecification.1.Tag.1.Key": "k",
        "TagSpecification.1.Tag.1.Value": "",
    }
    call = decode(form, **WHO)
    assert dict(call.params.values) == {
        "MinCount": 1,
        "DryRun": True,
        "SecurityGroupIds": ["sg-1", "sg-2"],
        "TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "k", "Value": ""}]}],
    }


@given(
    st.lists(st.text(min_size=1, max_size=20), min_size=1, max_size=12),
    st.text(max_size=40),
    st.binary(max_size=40),
)
def test_what_is_read_is_written_again(values, name, blob):
    form = {"Action": "DescribeInstances", "Filter.1.Name": name}
    form |= {f"Filter.1.Value.{n}": value for n, value in enumerate(values, 1)}
    call = decode(form, **WHO)
    assert decode(form_of(encode(call)), **WHO) == call
    key = call.only(KeyName="k", PublicKeyMaterial=blob)
    import_key = type(call)("ImportKeyPair", key.params, **WHO)
    assert decode(form_of(encode(import_key)), **WHO) == import_key


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"Action": "LaunchRockets"}, "InvalidAction"),
        ({}, "InvalidAction"),
        ({"Action": "RunInstances", "MinCount": "many"}, "InvalidParameterValue"),
    ],
)
def test_what_cannot_be_read_is_refused(form, code):
    with pytest.raises(Refusal) as caught:
        decode(form, **WHO)
    assert caught.value.code == code


@given(st.text())
def test_an_error_is_always_xml(message):
    reply = refusal_reply(Refusal("Code", message))
    found = ET.fromstring(reply.body)
    assert found.findtext("Errors/Error/Code") == "Code"


def test_who_signed():
    header = "AWS4-HMAC-SHA256 Credential=AKIA/20261123/eu-west-1/ec2/aws4_request, SignedHeaders=x"
    assert signed_for(header) == ("AKIA", "eu-west-1", "ec2")
    assert signed_for("Bearer x") == ("", "", "")


def test_codes():
    assert code_in(200, b"<Code>x</Code>") == "OK"
    assert code_in(400, b"<Code>x</Code>") == "x"
    assert code_in(503, b"") == "HTTP503"


def test_other_services_of_moto_answer_on_the_same_port(strict_ec2):
    session = boto3.Session(
        aws_access_key_id="k", aws_secret_access_key="s", region_name="us-east-1"
    )
    s3 = session.client("s3", endpoint_url=strict_ec2.api.endpoint)
    s3.create_bucket(Bucket="kite-test-bucket")
    s3.put_object(Bucket="kite-test-bucket", Key="a", Body=b"x" * 100_000)
    body = s3.get_object(Bucket="kite-test-bucket", Key="a")["Body"].read()
    assert body == b"x" * 100_000
    sts = session.client("sts", endpoint_url=strict_ec2.api.endpoint)
    assert sts.get_caller_identity()["Account"] == "123456789012"


def test_control_paths_answer_this_machine_only():
    control = Control(
        faults=None, calls=None, rules=dict, own=frozenset({"10.88.0.1"}), hands={}, knobs=dict
    )

    def asked_from(peer):
        return control(Incoming("GET", "/_kite/rules", "", "", "", peer, b"")).status

    assert [asked_from(p) for p in ("127.0.0.1", "10.88.0.1", "10.88.0.7")] == [200, 200, 403]


def test_a_broken_rule_still_answers_as_ec2(strict_ec2, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError("a mistake of ours")

    monkeypatch.setattr(strict_ec2.api.chain, "run", broken)
    with refused("InternalError", "a mistake of ours"):
        strict_ec2.client().describe_instances()


def test_a_body_too_large_ends_the_connection(strict_ec2):
    host, port = strict_ec2.api.endpoint.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as raw:
        raw.sendall(
            b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n"
            b"Authorization: Credential=a/20261123/us-east-1/ec2/aws4_request\r\n\r\n"
        )
        assert raw.recv(100) == b""


def test_stopping_ends_open_connections_and_frees_the_ports(strict_ec2, monkeypatch):
    monkeypatch.setattr(Ec2Api, "_running", None)
    with running(listen=[("127.0.0.1", 0), ("127.0.0.2", 0)], public_pool=POOL) as api:
        assert len(api.endpoints) == 2
        host, port = api.endpoint.removeprefix("http://").split(":")
        urllib.request.urlopen(f"{api.endpoints[1]}/_kite/rules").close()
        raw = socket.create_connection((host, int(port)))
        raw.sendall(b"GET /_kite/rules HTTP/1.1\r\nHost: x\r\n\r\n")
        assert raw.recv(100)
    with raw:
        raw.settimeout(5)
        while raw.recv(65536):
            continue
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"http://{host}:{port}/_kite/rules")
    with pytest.raises(RuntimeError, match="not running"):
        _ = api.endpoint


def test_an_account_of_its_own_by_header_sees_its_own_cloud(strict_ec2):
    ec2 = strict_ec2.client(user_agent_extra="other")
    ec2.meta.events.register(
        "before-sign.ec2",
        lambda request, **_: request.headers.add_header("x-moto-account-id", "2" * 12),
    )
    launch(ec2)
    assert strict_ec2.client().describe_instances()["Reservations"] == []
    assert len(ec2.describe_instances()["Reservations"]) == 1
