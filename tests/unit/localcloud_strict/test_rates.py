import pytest
from hypothesis import given
from hypothesis import strategies as st

from kite.buckets import rate_of
from localcloud.strict.call import Call, Params
from localcloud.strict.rates import (
    REQUESTS,
    RESOURCES,
    Rate,
    TokenBuckets,
    bucket_of,
    request_rate,
)


def call(action, **values):
    return Call(action, Params(values), "1", "us-east-1")


@pytest.mark.parametrize(
    ("asked", "bucket", "rate"),
    [
        (call("RunInstances"), "RunInstances", Rate(5, 2)),
        (call("StartInstances"), "StartInstances", Rate(5, 2)),
        (call("TerminateInstances"), "TerminateInstances", Rate(100, 5)),
        (call("StopInstances"), "StopInstances", Rate(50, 5)),
        (call("CreateTags"), "CreateTags", Rate(100, 10)),
        (call("CreateVolume"), "CreateVolume", Rate(100, 5)),
        (call("AllocateAddress"), "AllocateAddress", Rate(50, 5)),
        (call("DescribeAddresses"), "DescribeAddresses", Rate(100, 20)),
        (call("GetConsoleOutput"), "GetConsoleOutput", Rate(100, 20)),
        (call("DescribeInstances"), "DescribeInstances:all", Rate(50, 10)),
        (call("DescribeVolumes", VolumeIds=["vol-1"]), "DescribeVolumes:all", Rate(50, 10)),
        (call("DescribeInstances", MaxResults=5), "DescribeInstances", Rate(100, 20)),
        (call("DescribeInstances", NextToken="t"), "DescribeInstances", Rate(100, 20)),
        (call("DescribeInstances", Filters=[]), "DescribeInstances", Rate(100, 20)),
    ],
)
def test_the_published_figures(asked, bucket, rate):
    assert bucket_of(asked) == bucket
    assert request_rate(bucket) == rate


def test_the_published_figures_of_instances():
    assert {
        "RunInstances": Rate(1000, 2),
        "StartInstances": Rate(1000, 2),
        "TerminateInstances": Rate(1000, 20),
        "StopInstances": Rate(1000, 20),
    } == RESOURCES


def test_a_bucket_gives_all_or_nothing_and_fills_to_its_size():
    buckets, rate = TokenBuckets(), Rate(10, 2)
    assert buckets.take("a", rate, 0, 7)
    assert not buckets.take("a", rate, 0, 4)
    assert buckets.take("a", rate, 0, 3)
    assert not buckets.take("a", rate, 0.4)
    assert buckets.take("a", rate, 0.5)
    assert buckets.take("b", rate, 0.5, 10)
    assert not buckets.take("a", rate, 1000, 11)
    assert buckets.take("a", rate, 1000, 10)
    buckets.clear()
    assert buckets.take("a", rate, 1000, 10)


def test_a_clock_that_jumps_back_gives_nothing():
    buckets, rate = TokenBuckets(), Rate(1, 1)
    assert buckets.take("a", rate, 100)
    assert not buckets.take("a", rate, 0)
    assert not buckets.take("a", rate, 100.5)
    assert buckets.take("a", rate, 101)


@given(
    st.lists(st.tuples(st.floats(0, 3), st.integers(1, 4)), max_size=60),
    st.integers(1, 10),
    st.integers(1, 5),
)
def test_never_more_than_size_and_refill_allow(calls, size, refill):
    buckets, rate, now, taken = TokenBuckets(), Rate(size, refill), 0.0, 0
    for wait, tokens in calls:
        now += wait
        taken += tokens * buckets.take("a", rate, now, tokens)
        assert taken <= size + now * refill + 1e-6


@pytest.mark.parametrize("action", sorted({*REQUESTS, *RESOURCES, "AuthorizeSecurityGroupIngress"}))
def test_the_provisioner_never_counts_on_more_than_ec2_gives(action):
    ours, theirs = rate_of(action), request_rate(action)
    assert ours.size <= theirs.size
    assert ours.refill <= theirs.refill
