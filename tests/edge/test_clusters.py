"""Clusters through the edge: the seed's form and the resource form."""

import pytest

from tests.edge.conftest import Edge

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def test_create_answers_with_the_seeds_fields(edge: Edge):
    answer = await edge.create()
    assert answer.status == 202
    assert answer.json["milvs-name"] == answer.json["milvus-name"] == "search-cats"
    assert answer.json["milvus-url"] == edge.world.url
    assert answer.json["milvus-port"] == "19530"
    assert answer.headers["location"] == f"/v1/operations/{answer.json['operation-id']}"
    assert "whitelist is empty: nobody can connect yet" in answer.json["notices"]
