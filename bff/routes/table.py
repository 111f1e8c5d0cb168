"""Every route of the edge; openapi.yaml describes exactly these."""

from bff.json_in import NAME_SPELLINGS
from bff.routes import clusters, create, docs, events, health, operations, plans, whitelist
from bff.routes.route import Route

_NAME = frozenset(NAME_SPELLINGS)
_PAGE = frozenset({"page-size", "page-token"})
_WAIT = frozenset({"wait"})

ROUTES = (
    Route("POST", "/v1/milvus", create.create, _WAIT, lenient=True, waits=True),
    Route("DELETE", "/v1/milvus", clusters.delete_seed, _NAME | _WAIT, lenient=True, waits=True),
    Route(
        "POST", "/v1/milvus/delete", clusters.delete_seed, _NAME | _WAIT, lenient=True, waits=True
    ),
    Route("PUT", "/v1/whitelist", whitelist.replace_seed, lenient=True),
    Route("POST", "/v1/whitelist", whitelist.replace_seed, lenient=True),
    Route("GET", "/v1/whitelist", whitelist.read_seed, _NAME, lenient=True),
    Route("POST", "/v1/clusters", create.create, _WAIT, waits=True),
    Route("GET", "/v1/clusters", clusters.listing, _PAGE),
    Route("GET", "/v1/clusters/{name}", clusters.read, _WAIT, waits=True),
    Route("PATCH", "/v1/clusters/{name}", clusters.change),
    Route("DELETE", "/v1/clusters/{name}", clusters.delete, _WAIT, waits=True),
    Route("GET", "/v1/clusters/{name}/whitelist", whitelist.read),
    Route("PUT", "/v1/clusters/{name}/whitelist", whitelist.replace),
    Route(
        "GET",
        "/v1/clusters/{name}/events",
        events.read,
        frozenset({"after", "page-size"}),
        streams=True,
    ),
    Route(
        "GET",
        "/v1/clusters/{name}/endpoints",
        clusters.endpoints,
        frozenset({"type"}),
        scarce=True,
    ),
    Route("GET", "/v1/operations", operations.listing, _NAME | _PAGE, noun="operation"),
    Route("GET", "/v1/operations/{id}", operations.read, _WAIT, noun="operation", waits=True),
    Route("GET", "/v1/plans", plans.plans),
    Route("GET", "/v1/source-ip", plans.source_ip),
    Route("GET", "/v1/admin/clusters", clusters.listing_of_all, _PAGE, admin=True),
    Route("GET", "/healthz", health.alive, open=True),
    Route("GET", "/readyz", health.ready, open=True),
    Route("GET", "/openapi.json", docs.openapi, open=True),
    Route("GET", "/docs", docs.page, open=True),
)
