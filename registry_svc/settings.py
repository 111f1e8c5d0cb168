"""Settings of the registry; environment names are `KITE_` and the field in capitals."""

from pathlib import Path

from pydantic import Field, SecretStr

from kite.described import tell
from kite.settings import Common, Listen


class Settings(Common):
    """Where records are kept and what a user may own."""

    registry_listen: Listen = Field("127.0.0.1:50051", description="host:port to serve on.")
    registry_mongodb_uri: SecretStr = Field(
        SecretStr(""),
        description="MongoDB URI (may name the database); empty = the embedded store.",
    )
    registry_database: str = Field(
        "kite",
        pattern=r"^[A-Za-z0-9_-]{1,38}$",
        description="Database name when the URI names none.",
    )
    registry_folder: Path = Field(
        Path("var/registry"), description="Folder of the embedded store; one process only."
    )
    registry_plans_file: Path | None = Field(
        None, description="YAML catalogue of plans; empty = the one that comes with Kite."
    )
    registry_clusters_per_user: int = Field(
        16, ge=1, le=10_000, description="Live clusters a user may own."
    )
    registry_threads: int = Field(16, ge=1, le=128, description="Threads that talk to the store.")
    registry_waiting: int = Field(
        512, ge=1, description="Calls that may wait for a thread; more are refused."
    )
    registry_subscriber_queue: int = Field(
        1024, ge=1, description="Changes a watcher may lag behind before it is cut off."
    )
    registry_rescan_ms: int = Field(
        1000, ge=10, description="How often changes by other registry processes are looked for."
    )
    registry_tidy_seconds: int = Field(
        60, ge=1, description="How often old keys and tombstones are removed."
    )


if __name__ == "__main__":
    tell(Settings)
