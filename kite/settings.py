"""Settings from environment and `.env`, read once in `__main__` and passed on frozen.

A service subclasses `Common` and adds fields whose names start with its own word
(`bff_…`, `registry_…`, `provisioner_…`, `whitelist_…`); the environment name is the field name in
capitals behind `KITE_`. Unknown `KITE_` names are refused; secrets are masked when shown.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
)
from pydantic_core import ErrorDetails

from kite import targets

PREFIX = "KITE_"
T = TypeVar("T", bound="Common")
Listen = Annotated[str, AfterValidator(targets.listening)]
Target = Annotated[str, AfterValidator(targets.target)]
Targets = Annotated[str, AfterValidator(targets.targets)]
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
OUTSIDE_PREFIXES = ("KITE_TEST_", "KITE_BENCH_", "KITE_DEMO_", "KITE_LOCALCLOUD_", "KITE_CRASH_")


class Common(BaseModel):
    """What every service needs to know."""

    model_config = ConfigDict(
        extra="ignore", frozen=True, hide_input_in_errors=True, defer_build=True
    )

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
    registry: Targets = Field(
        "127.0.0.1:50051",
        description="host:port of the registry; several on one MongoDB: IP:port,IP:port or "
        "dns:///name:port.",
    )
    provisioner: Target = Field("127.0.0.1:50052", description="host:port of the provisioner.")
    whitelist: Target = Field("127.0.0.1:50053", description="host:port of the whitelist service.")
    log_level: str = Field("info", pattern="^(debug|info|warning|error)$", description="Log level.")
    log_format: str = Field(
        "auto",
        pattern="^(auto|json|console)$",
        description="auto = readable on a terminal, else JSON.",
    )

    def lacking(self) -> tuple[str, ...]:
        """What still has to be set before this service is of use, a sentence for each setting.

        It starts without: what it holds already goes on being looked after.
        """
        return ()


class SettingsRefused(Exception):
    """The settings cannot be used; the text names each fault, one per line."""


def _from_file(path: Path) -> dict[str, str]:
    """What a .env file says, read as docker compose reads it, but `$` stands for itself."""
    from dotenv.parser import parse_stream  # only where there is a file

    found = {}
    with path.open() as stream:
        for one in parse_stream(stream):
            text = one.original.string
            if one.error or (one.key is not None and one.value is None):
                number = one.original.line + text[: len(text) - len(text.lstrip())].count("\n")
                raise SettingsRefused(f"{path}:{number}: expected NAME=value, quotes closed")
            if one.key is not None:
                found[one.key] = one.value or ""
    return found


def _known(name: str, cls: type[Common]) -> bool:
    own = name.removeprefix(PREFIX).lower() in cls.model_fields
    others = any(
        name.startswith(f"{PREFIX}{service}_")
        and not any(f.startswith(f"{service.lower()}_") for f in cls.model_fields)
        for service in SERVICES
    )
    return own or others or name in OUTSIDE or name.startswith(OUTSIDE_PREFIXES)


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
    unknown = sorted(name for name in ours if not _known(name, cls))
    if unknown:
        raise SettingsRefused(
            "\n".join(f"{name}: unknown setting; see .env.example" for name in unknown)
        )
    fields = {k.removeprefix(PREFIX).lower(): v for k, v in ours.items()}
    try:
        return cls.model_validate({k: v for k, v in fields.items() if k in cls.model_fields})
    except ValidationError as refused:
        raise SettingsRefused("\n".join(map(_fault, refused.errors()))) from None


def _fault(error: ErrorDetails) -> str:
    """One line; a rule over several settings names them in its own words."""
    text = error["msg"].removeprefix("Value error, ")
    name = "_".join(str(part) for part in error["loc"]).upper()
    return f"{PREFIX}{name}: {text}" if name else text
