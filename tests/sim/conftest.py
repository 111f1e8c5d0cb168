import pytest
import structlog


@pytest.fixture(autouse=True, scope="session")
def silent():
    """A thousand bad days make a long log."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory(), processors=[])
    yield
    structlog.reset_defaults()
