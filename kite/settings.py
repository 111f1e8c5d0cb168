"""Settings from environment and `.env`, read once in `__main__` and passed on frozen.

A service subclasses `Common` and adds fields whose names start with its own word
(`bff_…`, `registry_…`, `provisioner_…`, `whitelist_…`); the environment name is the field name in
capitals behind `KITE_`. Unknown `KITE_` names are refused; secrets are masked when shown.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn, TypeVar, get_type_hints

from kite.fields import Field, FieldInfo, SecretStr

__all__ = ["PREFIX", "Common", "Field", "SecretStr", "SettingsRefused", "fields", "load"]
PREFIX = "KITE_"
T = TypeVar("T", bound="Common")
SERVICES = ("BFF", "REGISTRY", "PROVISIONER", "WHITELIST")
# Names without a service's word that one program reads: the edge, the command line, the demo.
OUTSIDE = frozenset(
    {
        "KITE_AUTH",
        "KITE_URL",
        "KITE_CLIENT_A",
        "KITE_CLIENT_B",
        "KITE_LOGS",
        "KITE_CACHE",
        "KITE_USER",
    }
)
OUTSIDE_PREFIXES = ("KITE_TEST_", "KITE_DEMO_", "KITE_LOCALCLOUD_", "KITE_CRASH_")


class SettingsRefused(Exception):
    """The settings cannot be used; the text names each fault, one per line."""


class Common:
    """What every service needs to know; keyword arguments are what differs from the defaults.

    Raises:
        SettingsRefused: values that do not fit; every fault is named.
    """

    install: str = Field(
        "kite1",
        pattern=r"^[a-z0-9]{2,16}$",
        description="Id of this install, in every tag and token; fixed while clusters live.",
    )
    secret: SecretStr = Field(
        SecretStr(""),
        description="Install secret, 16+ characters; passwords and SSH keys derive from it.",
    )
    region: str = Field("us-east-1", description="AWS region of the clusters.")
    ec2_endpoint: str = Field("", description="Other EC2 endpoint (local cloud); empty = AWS.")
    registry: str = Field("127.0.0.1:50051", description="host:port of the registry.")
    provisioner: str = Field("127.0.0.1:50052", description="host:port of the provisioner.")
    whitelist: str = Field("127.0.0.1:50053", description="host:port of the whitelist service.")
    log_level: str = Field("info", pattern="^(debug|info|warning|error)$", description="Log level.")
    log_format: str = Field(
        "auto",
        pattern="^(auto|json|console)$",
        description="auto = readable on a terminal, else JSON.",
    )

    def __init__(self, **given: object) -> None:
        kinds, faults = get_type_hints(type(self)), []
        known = fields(type(self))
        if strange := given.keys() - known:
            raise TypeError(f"no such settings: {', '.join(sorted(strange))}")
        for name, field in known.items():
            try:
                value = field.read(given[name], kinds[name]) if name in given else field.default
            except ValueError as refused:
                faults.append(f"{PREFIX}{name.upper()}: {refused}")
            else:
                vars(self)[name] = value
        if faults:
            raise SettingsRefused("\n".join(faults))
        try:
            self.agree()
        except ValueError as refused:
            raise SettingsRefused(str(refused)) from None

    def agree(self) -> None:
        """A rule over several settings; raises ValueError with a sentence that names them."""

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"settings are frozen: {name}")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        told = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({told})"


def fields(cls: type[Common]) -> dict[str, FieldInfo]:
    """Every setting of `cls` by its name, the common ones first."""
    return {
        name: value
        for one in reversed(cls.__mro__)
        for name, value in vars(one).items()
        if isinstance(value, FieldInfo)
    }


def _from_file(path: Path) -> dict[str, str]:
    """`NAME=value` lines of a .env file; `#` starts a comment line."""
    found = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        text = line.strip().removeprefix("export ")
        if not text or text.startswith("#"):
            continue
        name, equals, value = text.partition("=")
        if not equals:
            raise SettingsRefused(f"{path}:{number}: expected NAME=value")
        found[name.strip()] = value.strip().strip("\"'")
    return found


def _known(name: str, own: Mapping[str, FieldInfo]) -> bool:
    others = any(
        name.startswith(f"{PREFIX}{service}_")
        and not any(field.startswith(f"{service.lower()}_") for field in own)
        for service in SERVICES
    )
    mine = name.removeprefix(PREFIX).lower() in own
    return mine or others or name in OUTSIDE or name.startswith(OUTSIDE_PREFIXES)


def load(cls: type[T], environ: Mapping[str, str] | None = None) -> T:
    """Read `.env` of the working directory, then the environment (which wins).

    Raises:
        SettingsRefused: unknown KITE_ name, or a value that does not fit; every fault is named.
    """
    environ = os.environ if environ is None else environ
    file = Path(environ.get("KITE_ENV_FILE", ".env"))
    values = (_from_file(file) if file.is_file() else {}) | {
        k: v for k, v in environ.items() if k != "KITE_ENV_FILE"
    }
    ours = {k: v for k, v in values.items() if k.startswith(PREFIX)}
    own = fields(cls)
    unknown = sorted(name for name in ours if not _known(name, own))
    if unknown:
        raise SettingsRefused(
            "\n".join(f"{name}: unknown setting; see .env.example" for name in unknown)
        )
    lower = {k.removeprefix(PREFIX).lower(): v for k, v in ours.items()}
    return cls(**{name: text for name, text in lower.items() if name in own})
