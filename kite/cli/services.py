"""Which services there are, and how their processes are started. Pure."""

import sys
from enum import StrEnum

RESTING_ENV = {"PYTHONUNBUFFERED": "1"}


class Service(StrEnum):
    """The word people type; the order is the order of starting."""

    REGISTRY = "registry"
    WHITELIST = "whitelist"
    PROVISIONER = "provisioner"
    BFF = "bff"

    @property
    def module(self) -> str:
        """The Python package that is this service."""
        return self.value if self in {Service.PROVISIONER, Service.BFF} else f"{self.value}_svc"

    def command(self) -> tuple[str, ...]:
        return (sys.executable, "-m", self.module)

    def settings_command(self) -> tuple[str, ...]:
        """Prints the settings of this service as JSON (kite.described)."""
        return (sys.executable, "-m", f"{self.module}.settings")
