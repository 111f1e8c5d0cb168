"""Settings of the edge."""

from enum import StrEnum
from ipaddress import ip_address, ip_network

from pydantic import Field, SecretStr, field_validator, model_validator

from kite.described import tell
from kite.secrets import MIN_SECRET_BYTES
from kite.settings import Common, Listen

MIN_PORTAL_KEY = 32


class Auth(StrEnum):
    """Whom the `username` header is believed from."""

    TRUSTED_HEADER = "trusted-header"
    SIGNED_HEADER = "signed-header"


class Settings(Common):
    """What the edge needs to know."""

    bff_listen: Listen = Field("127.0.0.1:8080", description="host:port of the HTTP API.")
    auth: Auth = Field(
        Auth.TRUSTED_HEADER,
        description="trusted-header (username taken as it is) or signed-header (HMAC by a portal).",
    )
    bff_trust_everybody: bool = Field(
        default=False,
        description="Allow trusted-header on an address other than loopback. Dangerous.",
    )
    bff_portal_keys: SecretStr = Field(
        SecretStr(""),
        description="Portals that may sign: id=key, id=key, … (keys of 32+ characters).",
    )
    bff_signature_seconds: int = Field(
        60, ge=1, le=600, description="How far a signature's time may be off, seconds."
    )
    bff_disabled_users: str = Field("", description="Users refused with 403, comma-separated.")
    bff_admins: str = Field("", description="Users who may ask /v1/admin, comma-separated.")
    bff_trusted_proxies: str = Field(
        "", description="Networks whose X-Forwarded-For is read (source address), comma-separated."
    )
    bff_seed_json: bool = Field(
        default=True,
        description="Mend stray and missing commas in bodies of the seed form (/v1/milvus …).",
    )
    bff_url_seconds: float = Field(
        5.0, ge=0, le=30, description="How long a create is held for milvus-url, seconds."
    )
    bff_request_seconds: float = Field(
        30.0, gt=0, description="Longest handling of a request, waits not counted, seconds."
    )
    bff_header_seconds: float = Field(
        10.0, gt=0, description="Longest time for the head of a request to arrive, seconds."
    )
    bff_body_seconds: float = Field(
        10.0, gt=0, description="Longest time for a body to arrive, seconds."
    )
    bff_body_bytes: int = Field(65_536, ge=1024, description="Largest body, bytes.")
    bff_bodies: int = Field(
        2_000,
        ge=1,
        description="Bodies on their way at the same time, known senders or not; "
        "more are answered 503.",
    )
    bff_rate_per_minute: int = Field(2_000, ge=1, description="Requests per user and minute.")
    bff_burst: int = Field(200, ge=1, description="Requests a user may make at once.")
    bff_endpoints_per_minute: int = Field(
        20, ge=1, description="Requests for endpoints per user and minute."
    )
    bff_concurrent_per_user: int = Field(
        64, ge=1, description="Requests of one user handled at the same time."
    )
    bff_concurrent: int = Field(1_000, ge=1, description="Requests handled at the same time.")
    bff_hold_seconds: int = Field(
        60, ge=0, le=60, description="Longest time a request is held that asks with wait, seconds."
    )
    bff_held_per_user: int = Field(
        32, ge=1, description="Requests of one user held with wait at the same time."
    )
    bff_held: int = Field(500, ge=1, description="Requests held with wait at the same time.")
    bff_streams_per_user: int = Field(32, ge=1, description="Event streams one user may have open.")
    bff_streams: int = Field(10_000, ge=1, description="Event streams open at the same time.")
    bff_connections: int = Field(
        12_000, ge=1, description="Open connections, busy or idle; more are answered 503."
    )
    bff_send_seconds: float = Field(
        20.0,
        gt=0,
        description="How long a client may leave an answer unread before it is cut off, seconds; "
        "an event stream is ended after half of it.",
    )
    bff_stream_seconds: float = Field(
        3_600.0, gt=0, description="Longest life of an event stream, seconds."
    )
    bff_drain_seconds: float = Field(
        10.0, gt=0, description="How long running requests may end at shutdown, seconds."
    )

    @field_validator("bff_trusted_proxies")
    @classmethod
    def _are_networks(cls, text: str) -> str:
        for word in words(text):
            ip_network(word)
        return text

    @field_validator("bff_portal_keys")
    @classmethod
    def _are_keys(cls, given: SecretStr) -> SecretStr:
        for portal, key in portal_keys(given).items():
            if not portal or len(key) < MIN_PORTAL_KEY:
                raise ValueError(f"expected id=key with keys of {MIN_PORTAL_KEY}+ characters")
        return given

    @model_validator(mode="after")
    def _is_safe(self) -> "Settings":
        if len(self.secret.get_secret_value()) < MIN_SECRET_BYTES:
            raise ValueError(f"KITE_SECRET must be set, {MIN_SECRET_BYTES}+ characters")
        if self.auth is Auth.SIGNED_HEADER and not portal_keys(self.bff_portal_keys):
            raise ValueError("KITE_BFF_PORTAL_KEYS must name a portal for signed-header")
        believes_all = self.auth is Auth.TRUSTED_HEADER
        if believes_all and not self.on_loopback and not self.bff_trust_everybody:
            raise ValueError(
                "trusted-header believes anybody and is for loopback only: use "
                "KITE_AUTH=signed-header, or KITE_BFF_TRUST_EVERYBODY=true if this "
                "network holds nobody but your portal"
            )
        return self

    @property
    def host(self) -> str:
        return self.bff_listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        return int(self.bff_listen.rpartition(":")[2])

    @property
    def on_loopback(self) -> bool:
        """Whether only this machine can connect; a name other than localhost counts as no."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


def words(text: str) -> tuple[str, ...]:
    """The comma-separated words of a setting."""
    return tuple(word.strip() for word in text.split(",") if word.strip())


def portal_keys(given: SecretStr) -> dict[str, bytes]:
    """Key of each portal id."""
    pairs = (word.partition("=") for word in words(given.get_secret_value()))
    return {portal.strip(): key.strip().encode() for portal, _, key in pairs}


if __name__ == "__main__":
    tell(Settings)
