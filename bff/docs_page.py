"""The contract as one page: rendered here, self-contained, nothing fetched from elsewhere. Pure."""

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import escape
from typing import Any, TypeAlias

Spec: TypeAlias = dict[str, Any]
VERBS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True, slots=True)
class Page:
    """`policy` is the Content-Security-Policy that lets this page run and nothing else."""

    html: str
    policy: str


def render(spec: Spec, *, script: str, style: str) -> Page:
    """The page of an OpenAPI document."""
    info = spec["info"]
    operations = "".join(_operation(spec, one) for one in _operations(spec))
    html = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(info['title'])}</title><style>{style}</style></head><body>"
        f"<header><h1>{escape(info['title'])} <small>{escape(info['version'])}</small></h1>"
        f"{_paragraphs(info.get('description', ''))}"
        '<p><label>username header for trying out: <input id="user" value="milvus-test">'
        '</label> <a href="/openapi.json">openapi.json</a></p></header>'
        f"<main>{operations}{_schemas(spec)}</main><script>{script}</script></body></html>"
    )
    policy = (
        f"default-src 'none'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        f"frame-ancestors 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'"
    )
    return Page(html, policy)


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


@dataclass(frozen=True, slots=True)
class _Operation:
    verb: str
    path: str
    about: Spec
    parameters: tuple[Spec, ...]


def _operations(spec: Spec) -> Iterator[_Operation]:
    for path, item in spec.get("paths", {}).items():
        for verb in VERBS:
            if verb in item:
                listed = [*item.get("parameters", []), *item[verb].get("parameters", [])]
                yield _Operation(
                    verb, path, item[verb], tuple(_resolved(spec, one) for one in listed)
                )


def _resolved(spec: Spec, thing: Spec) -> Spec:
    """What a local `$ref` points at."""
    while "$ref" in thing:
        found = spec
        for step in thing["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        thing = found
    return thing


def _operation(spec: Spec, one: _Operation) -> str:
    about = one.about
    return (
        f'<details class="{one.verb}"><summary><b>{one.verb.upper()}</b> '
        f"<code>{escape(one.path)}</code> {escape(about.get('summary', ''))}</summary>"
        f"{_paragraphs(about.get('description', ''))}"
        f"{_parameters(one.parameters)}{_answers(spec, about.get('responses', {}))}"
        f"{_trial(spec, one)}</details>"
    )


def _paragraphs(text: str) -> str:
    return "".join(f"<p>{escape(part)}</p>" for part in text.strip().split("\n\n") if part)


def _parameters(parameters: Iterable[Spec]) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(one['name'])}</code></td><td>{escape(one['in'])}</td>"
        f"<td>{escape(one.get('description', ''))}</td></tr>"
        for one in parameters
    )
    return f"<table>{rows}</table>" if rows else ""


def _answers(spec: Spec, responses: dict[str, Spec]) -> str:
    rows = "".join(
        f"<tr><td>{escape(str(status))}</td>"
        f"<td>{escape(_resolved(spec, answer).get('description', ''))}</td></tr>"
        for status, answer in responses.items()
    )
    return f"<table>{rows}</table>"


def _trial(spec: Spec, one: _Operation) -> str:
    """A small form: path and query as one line, a body when the operation takes one."""
    target = one.path
    for parameter in one.parameters:
        if parameter["in"] == "path":
            target = target.replace(f"{{{parameter['name']}}}", str(parameter.get("example", "")))
    example = _example(spec, one.about)
    body = (
        ""
        if example is None
        else f"<textarea>{escape(json.dumps(example, indent=1, ensure_ascii=False))}</textarea>"
    )
    return (
        f'<form data-verb="{one.verb.upper()}"><input name="target" value="{escape(target)}">'
        f"{body}<button>try</button><pre></pre></form>"
    )


def _example(spec: Spec, about: Spec) -> object | None:
    content = _resolved(spec, about.get("requestBody", {})).get("content", {})
    found: object | None = content.get("application/json", {}).get("example")
    return found


def _schemas(spec: Spec) -> str:
    schemas = spec.get("components", {}).get("schemas", {})
    return "".join(
        f'<details><summary><code id="{escape(name)}">{escape(name)}</code></summary>'
        f"<pre>{escape(json.dumps(schema, indent=1, ensure_ascii=False))}</pre></details>"
        for name, schema in schemas.items()
    )
