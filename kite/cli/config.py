"""`kite config`: the settings of all services, read from each service's own process."""

import asyncio
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kite.cli.services import RESTING_ENV, Service
from kite.described import Described, Setting

WRAP = 96


class NotDescribed(Exception):
    """A service could not tell its settings; the text holds what it said instead."""


@dataclass(frozen=True, slots=True)
class Whole:
    """What every service told."""

    services: Mapping[Service, Described]

    def common(self) -> tuple[Setting, ...]:
        first = next(iter(self.services.values()))
        return tuple(setting for setting in first.settings if setting.common)

    def own(self, service: Service) -> tuple[Setting, ...]:
        return tuple(s for s in self.services[service].settings if not s.common)

    def faults(self) -> tuple[str, ...]:
        """Each fault once, however many services met it."""
        every = (fault for one in self.services.values() for fault in one.faults)
        return tuple(dict.fromkeys(every))

    def lacking(self) -> tuple[str, ...]:
        """What must still be set before a cluster can be made."""
        return tuple(text for one in self.services.values() for text in one.lacking)


async def ask(environ: Mapping[str, str], services: Iterable[Service] = Service) -> Whole:
    """Ask every service at once. Raises NotDescribed."""
    names = tuple(services)
    told = await asyncio.gather(*(_ask(one, environ) for one in names), return_exceptions=True)
    found = {}
    for name, answer in zip(names, told, strict=True):
        if isinstance(answer, BaseException):
            raise answer
        found[name] = answer
    return Whole(found)


async def _ask(service: Service, environ: Mapping[str, str]) -> Described:
    process = await asyncio.create_subprocess_exec(
        *service.settings_command(),
        env={**os.environ, **RESTING_ENV, **environ},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    try:
        return Described.from_json(out.decode())
    except (ValueError, KeyError, TypeError):
        said = err.decode(errors="replace").strip().splitlines()
        last = said[-1] if said else "it said nothing"
        raise NotDescribed(f"{service.module}.settings cannot be read: {last}") from None


def shown(whole: Whole) -> str:
    """`NAME=value` lines, secrets masked, a mark where a value is not the default."""
    settings = [*whole.common(), *(s for service in Service for s in whole.own(service))]
    return "\n".join(
        f"{one.name}={one.value}" + ("" if one.value == one.default else "   # set")
        for one in settings
    )


def example(whole: Whole) -> str:
    """The text of `.env.example`: every setting with its meaning, commented out at its default."""
    parts = [
        "# Every setting of Kite with its meaning and default. Copy to .env, change what differs;",
        "# the environment wins over the file. Unknown KITE_ names are refused.",
        "# Written by `make docs` from the services' own settings; do not edit by hand.",
        "",
        *_block("Every service", whole.common()),
    ]
    for service in Service:
        parts += _block(f"{service.value} ({service.module})", whole.own(service))
    return "\n".join(parts).rstrip() + "\n"


def _block(title: str, settings: Iterable[Setting]) -> list[str]:
    lines = [f"# --- {title} ---"]
    for one in settings:
        lines += [*_wrapped(one.description), f"#{one.name}={one.default}", ""]
    return lines


def _wrapped(text: str) -> list[str]:
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + len(word) >= WRAP:
            lines.append("")
        lines[-1] += f" {word}" if lines[-1] else word
    return [f"# {line}" for line in lines if line]
