"""The contract, as a document for machines and as a page for people; no network needed."""

import json
from functools import cache
from importlib import resources
from typing import Any

from aiohttp import web

from bff import docs_page


@cache
def spec() -> dict[str, Any]:
    """The OpenAPI document, read once from its two files."""
    return {**_loaded("openapi.yaml"), "components": _loaded("openapi_parts.yaml")}


def _loaded(name: str) -> dict[str, Any]:
    import yaml

    text = resources.files("bff").joinpath(name).read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.safe_load(text)
    return found


@cache
def _spec_json() -> str:
    return json.dumps(spec(), ensure_ascii=False)


@cache
def _page() -> docs_page.Page:
    parts = resources.files("bff").joinpath("docs")
    script = parts.joinpath("try.js").read_text(encoding="utf-8")
    style = parts.joinpath("page.css").read_text(encoding="utf-8")
    return docs_page.render(spec(), script=script, style=style)


async def openapi(_request: web.Request) -> web.Response:
    return web.Response(text=_spec_json(), content_type="application/json")


async def page(_request: web.Request) -> web.Response:
    shown = _page()
    headers = {"Content-Security-Policy": shown.policy}
    return web.Response(text=shown.html, content_type="text/html", headers=headers)
