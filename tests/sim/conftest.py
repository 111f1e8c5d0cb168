import pytest
import structlog

from kite.telemetry import logs


@pytest.fixture(autouse=True, scope="module")
def silent():
    """A thousand bad days make a long log; other tests of the same process read theirs."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logs.LEVELS["silent"]))
    yield
    structlog.reset_defaults()
