"""Settings of the whitelist service."""

from typing import Annotated

from pydantic import BeforeValidator, Field, field_validator

from kite import ports
from kite.described import tell
from kite.errors import KiteError
from kite.settings import Common, Listen
from kite.sweep import Mode
from kite.sweep import Policy as SweepPolicy
from whitelist_svc import ranges
from whitelist_svc.groups import CONTROL_PORTS
from whitelist_svc.rules import Policy

WIDEST_CONTROL = {4: 8, 6: 32}
_MOST_RULES = 60


def _split(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


class Settings(Common):
    """Environment names: KITE_ and the field in capitals."""

    whitelist_listen: Listen = Field(
        "127.0.0.1:50053", description="Address the service listens on, host:port."
    )
    whitelist_control_cidrs: Annotated[tuple[str, ...], BeforeValidator(_split)] = Field(
        (),
        description="Ranges of the control plane, comma-separated; hosts take SSH and "
        "questions to Milvus (22, 19530) from there only. Empty = Kite cannot reach its hosts.",
    )
    whitelist_web_gui_port: int = Field(
        ports.WEB_GUI_PORT, ge=1, le=65535, description="Port that milvus-em-port opens."
    )
    whitelist_least_prefix_v4: int = Field(
        16, ge=8, le=32, description="Shortest IPv4 prefix a user may open."
    )
    whitelist_least_prefix_v6: int = Field(
        48, ge=16, le=128, description="Shortest IPv6 prefix a user may open."
    )
    whitelist_public: bool = Field(
        default=False,
        description="Users may open wider ranges, 0.0.0.0/0 too, when the request says so.",
    )
    whitelist_rules_per_family: int = Field(
        _MOST_RULES,
        ge=1,
        le=1000,
        description="Rules per security group and address family: the AWS quota of the account.",
    )
    whitelist_mend_seconds: float = Field(
        30.0, ge=0.1, le=3600, description="Pause between two looks for drift."
    )
    whitelist_sweep: Mode = Field(
        Mode.ON,
        description="Security groups without a cluster: on = removed, report = only told, off.",
    )
    whitelist_sweep_seconds: int = Field(
        60,
        ge=1,
        le=300,
        description="Pause between two sweeps, and between the two sightings of a leftover.",
    )
    whitelist_strict: bool = Field(
        default=True,
        description="Rules added by hand are removed; false = only reported as events.",
    )

    @field_validator("whitelist_control_cidrs")
    @classmethod
    def _control(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        try:
            read = [ranges.parse(text, field="") for text in value]
        except KiteError as refused:
            raise ValueError(refused.description) from None
        for one in read:
            if one.prefixlen < WIDEST_CONTROL[one.version]:
                raise ValueError(f"{one} would open SSH to too many; use /8 (IPv6 /32) or longer")
        most = _MOST_RULES // len(CONTROL_PORTS)
        if len(read) > most:
            raise ValueError(f"{len(read)} ranges do not fit one security group; at most {most}")
        return tuple(dict.fromkeys(str(one) for one in read))

    @field_validator("whitelist_web_gui_port")
    @classmethod
    def _web_gui(cls, value: int) -> int:
        ports.numbers(web_gui=value)
        return value

    def lacking(self) -> tuple[str, ...]:
        if self.whitelist_control_cidrs:
            return ()
        told = (
            "KITE_WHITELIST_CONTROL_CIDRS: empty, so hosts let nobody in and no cluster gets "
            "ready; set the ranges that Kite itself connects from"
        )
        return (told,)

    @property
    def sweep_policy(self) -> SweepPolicy:
        return SweepPolicy(gap_ms=self.whitelist_sweep_seconds * 1000)

    @property
    def policy(self) -> Policy:
        return Policy(
            least_prefix_v4=self.whitelist_least_prefix_v4,
            least_prefix_v6=self.whitelist_least_prefix_v6,
            public=self.whitelist_public,
            per_family=self.whitelist_rules_per_family,
            web_gui=self.whitelist_web_gui_port,
        )


if __name__ == "__main__":
    tell(Settings)
