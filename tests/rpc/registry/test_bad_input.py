"""Numbers and parts that do not fit are refused by name, over either store: none is a defect."""

import os

import pymongo
import pytest

from kite.errors import InvalidRequest
from kite.v1 import operation_pb2 as ops
from kite.v1 import registry_pb2
from registry_svc import paging
from registry_svc.mongodb import Mongo
from tests.rpc.registry.conftest import NAME, USER, hosted


@pytest.fixture(params=["embedded", pytest.param("wire", marks=pytest.mark.wire)])
def engine(request):
    if request.param == "embedded":
        yield request.getfixturevalue("embedded")
        return
    uri, name = request.getfixturevalue("wire_server").uri, f"kite-test-input-{os.getpid()}"
    engine = Mongo(uri, name, prove=False)
    yield engine
    engine.close()
    with pymongo.MongoClient(uri) as client:
        client.drop_database(name)


@pytest.fixture
async def either(engine, clock):
    async with hosted(engine, clock) as caller:
        yield caller


NUMBERS = ["9" * 30, str(2**63), "-1", "-" + "9" * 30, "1_0", " 1", ""]


async def test_a_page_token_with_a_number_that_no_page_had_is_refused(either):
    await either.create()
    for number in NUMBERS:
        token = paging.token(number, "op-x")
        with pytest.raises(InvalidRequest) as caught:
            await either.operations.ListOperations(
                ops.ListOperationsRequest(user=USER, page_token=token)
            )
        assert caught.value.reason == "INVALID_PAGE_TOKEN"


async def test_the_largest_numbers_are_answered(either):
    await either.create()
    for number in (0, 2**63 - 1):
        token = paging.token(str(number), "op-x")
        request = ops.ListOperationsRequest(user=USER, page_token=token)
        assert len((await either.operations.ListOperations(request)).operations) == bool(number)
    assert await either.events(after=2**63 - 1) == []
    assert len(await either.events(after=-(2**63))) == 1
    odd = registry_pb2.ListClustersRequest(page_token=paging.token("\0"))
    assert [c.milvus_name for c in (await either.registry.ListClusters(odd)).clusters] == [NAME]
