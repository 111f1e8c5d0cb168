"""Reads the catalogue of plans and the list of EC2 instance types from their files."""

from pathlib import Path

import yaml

from registry_svc import plans

HERE = Path(__file__).parent
OWN_PLANS = HERE / "plans.yaml"
INSTANCE_TYPES = HERE / "data" / "instance-types.txt"


def instance_types() -> frozenset[str]:
    lines = INSTANCE_TYPES.read_text().splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))


def load(path: Path | None = None) -> plans.Catalogue:
    """The catalogue in `path`, or Kite's own.

    Raises:
        CatalogueRefused: unreadable or wrong; the text names the file and the fault.
    """
    file = path or OWN_PLANS
    try:
        catalogue = plans.parse(yaml.safe_load(file.read_text()), instance_types())
        plans.refuse_workers(catalogue)
    except (OSError, yaml.YAMLError, plans.CatalogueRefused) as fault:
        raise plans.CatalogueRefused(f"{file}: {fault}") from None
    return catalogue
