"""openapi.yaml says what the routes do, no more and no less."""

import pytest
from openapi_spec_validator import validate

from bff.docs_page import VERBS
from bff.routes.docs import spec
from bff.routes.table import ROUTES
from tests.edge.conftest import Edge

pytestmark = pytest.mark.asyncio(loop_scope="package")
DESCRIBED = {
    (verb.upper(), path): {**item, **item[verb]}
    for path, item in spec()["paths"].items()
    for verb in VERBS
    if verb in item
}


def _resolved(thing: dict) -> dict:
    while "$ref" in thing:
        found = spec()
        for step in thing["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        thing = found
    return thing


async def test_the_document_is_openapi():
    validate(spec())


async def test_every_route_is_described_and_nothing_else():
    assert {(route.method, route.path) for route in ROUTES} == set(DESCRIBED)


@pytest.mark.parametrize("route", ROUTES, ids=lambda r: f"{r.method} {r.path}")
async def test_query_parameters_and_identity_are_described(route):
    about = DESCRIBED[route.method, route.path]
    listed = [_resolved(p) for p in about.get("parameters", [])]
    assert {p["name"] for p in listed if p["in"] == "query"} == route.query
    assert (about.get("security") == []) is route.open


async def test_operation_ids_are_unique():
    ids = [about["operationId"] for about in DESCRIBED.values()]
    assert len(ids) == len(set(ids))


async def test_the_served_document_is_the_file(edge: Edge):
    answer = await edge.ask("GET", "/openapi.json", user=None)
    assert (answer.status, answer.json) == (200, spec())


async def test_the_page_needs_nothing_from_elsewhere(edge: Edge):
    answer = await edge.ask("GET", "/docs", user=None)
    page = answer.body.decode()
    assert answer.status == 200
    assert "http://" not in page
    assert "https://" not in page
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    for route in ROUTES:
        assert route.path in page
