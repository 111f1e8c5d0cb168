import gc
import socket
import urllib.error
import urllib.request
import weakref

import pytest
from botocore.exceptions import ClientError

from localcloud.strict.inproc import POOL
from localcloud.strict.server import Ec2Api


def test_a_launch_and_a_describe(strict_ec2):
    ec2 = strict_ec2.client()
    made = ec2.run_instances(
        ImageId="ami-785db401", InstanceType="m5.large", MinCount=1, MaxCount=1
    )
    seen = ec2.describe_instances(InstanceIds=[made["Instances"][0]["InstanceId"]])
    assert seen["Reservations"][0]["Instances"][0]["State"]["Name"] == "running"


def test_an_emptied_cloud_keeps_nothing_of_what_there_was(strict_ec2):
    """Neither its images nor what was made: a day of resets would fill the memory."""
    made = strict_ec2.client().allocate_address()["AllocationId"]
    kept = [
        weakref.ref(one)
        for backend in strict_ec2.api._cloud.backends()
        if made in [address.allocation_id for address in backend.addresses]
        for one in (*backend.addresses, *backend.amis.values())
    ]
    strict_ec2.api.reset()
    gc.collect()
    assert len(kept) > 1
    assert not [one for one in kept if one() is not None]


def test_what_moto_cannot_do_is_an_ec2_error_not_html(strict_ec2):
    with pytest.raises(ClientError) as caught:
        strict_ec2.client().get_spot_placement_scores(TargetCapacity=1)
    assert caught.value.response["Error"]["Code"] == "UnsupportedOperation"


def test_an_unknown_action_is_refused_in_xml(strict_ec2):
    url = f"{strict_ec2.api.endpoint}/?Action=LaunchRockets&Version=2016-11-15"
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(url)
    assert caught.value.code == 400
    assert b"<Code>InvalidAction</Code>" in caught.value.read()
    caught.value.close()


def test_a_taken_port_is_an_os_error():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        api = Ec2Api(listen=[taken.getsockname()[:2]], public_pool=POOL)
        before, Ec2Api._running = Ec2Api._running, None
        try:
            with pytest.raises(OSError, match="in use"):
                api.start()
        finally:
            Ec2Api._running = before


def test_a_second_cloud_in_one_process_is_refused(strict_ec2):
    with pytest.raises(RuntimeError, match="already running"):
        Ec2Api(listen=[("127.0.0.1", 0)], public_pool=POOL).start()
