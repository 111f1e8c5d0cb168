"""Both doors to EC2 read a failed call with the same eyes."""

import botocore.exceptions as aws
import pytest

from kite import ec2_failures, refusals
from kite.ec2_failures import meaning
from kite.errors import CloudThrottled, Internal, NoCapacity, NotFound, Unavailable
from provisioner.ec2 import client
from whitelist_svc import session


def coded(code, status, text="said EC2"):
    answer = {
        "Error": {"Code": code, "Message": text},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return aws.ClientError(answer, "RunInstances")


@pytest.mark.parametrize(("failed", "kind", "reason"), [
    (coded("InsufficientInstanceCapacity", 500), NoCapacity, "INSUFFICIENT_CAPACITY"),
    (coded("RequestLimitExceeded", 503), CloudThrottled, "CLOUD_THROTTLED"),
    (coded("ServerInternal", 500), Unavailable, "CLOUD_AWAY"),
    (coded("NobodyKnows", 500), Unavailable, "CLOUD_AWAY"),
    (coded("503", 503), Unavailable, "CLOUD_AWAY"),
    (coded("", 503), Unavailable, "CLOUD_AWAY"),
    (aws.ClientError({}, "RunInstances"), Unavailable, "CLOUD_AWAY"),
    (aws.ReadTimeoutError(endpoint_url="x"), Unavailable, "CLOUD_AWAY"),
    (aws.EndpointConnectionError(endpoint_url="x"), Unavailable, "CLOUD_AWAY"),
    (aws.ConnectionClosedError(endpoint_url="x"), Unavailable, "CLOUD_AWAY"),
    (aws.NoCredentialsError(), Unavailable, "CLOUD_PERMISSION"),
    (aws.PartialCredentialsError(provider="x", cred_var="y"), Unavailable, "CLOUD_PERMISSION"),
    (aws.CredentialRetrievalError(provider="x", error_msg="y"), Unavailable, "CLOUD_PERMISSION"),
    (aws.ProfileNotFound(profile="x"), Unavailable, "CLOUD_PERMISSION"),
    (aws.ParamValidationError(report="secret"), Internal, refusals.MALFORMED_CALL),
    (NotFound("x"), NotFound, "NOT_FOUND"),
    (ZeroDivisionError("x"), Internal, "INTERNAL"),
])  # fmt: skip
def test_failures_by_meaning(failed, kind, reason):
    found = meaning(failed, "RunInstances")
    assert (type(found), found.reason) == (kind, reason)
    assert "secret" not in found.description


def test_the_names_of_classes_are_botocores():
    named = ec2_failures._CREDENTIALS | ec2_failures._MALFORMED | ec2_failures._AWAY
    assert {name for name in named if not hasattr(aws, name)} == set()


def test_there_is_one_meaning_for_both_services():
    assert client.meaning is session.meaning is meaning
