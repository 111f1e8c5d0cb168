import pytest
import structlog

from kite.telemetry import logs


@pytest.fixture(autouse=True, scope="session")
def silent():
    """A thousand bad days make a long log."""
    logs.start("sim", level="silent", form="json")
    yield
    structlog.reset_defaults()
