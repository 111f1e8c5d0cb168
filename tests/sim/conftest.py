import pytest

from kite.telemetry import logs


@pytest.fixture(autouse=True, scope="session")
def silent():
    """A thousand bad days make a long log."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logs._how, "least", logs.LEVELS["silent"])
        yield
