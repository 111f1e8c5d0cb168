"""A log line can be read by a machine, and no value can make a second one."""

import asyncio
import io
import json
import sys

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kite.telemetry import logs


@pytest.fixture(autouse=True)
def as_before():
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.fixture
def lines(capsys):
    """Lines logged since it was called last."""
    return lambda: capsys.readouterr().out.split("\n")[:-1]


def test_a_line_names_service_module_level_time_and_event(lines):
    logs.start("registry", form="json")
    logs.get("some.module").warning("it happened", number=3, odd=object)
    (line,) = map(json.loads, lines())
    assert (line["service"], line["module"], line["level"]) == (
        "registry",
        "some.module",
        "warning",
    )
    assert (line["event"], line["number"]) == ("it happened", 3)
    assert line["timestamp"].endswith("Z")


@pytest.mark.parametrize(
    ("level", "told"), [("debug", 4), ("info", 3), ("error", 1), ("silent", 0)]
)
def test_what_is_below_the_level_is_not_told(lines, level, told):
    logs.start("x", level=level, form="json")
    log = logs.get("m")
    for say in (log.debug, log.info, log.warning, log.error):
        say("event")
    assert len(lines()) == told


async def test_bound_facts_stay_in_their_task(lines):
    logs.start("x", form="json")

    async def one(name):
        logs.bind(request_id=name)
        await asyncio.sleep(0)
        logs.get("m").info("event", user=name)

    logs.bind(outer=1)
    await asyncio.gather(one("a"), one("b"))
    logs.get("m").info("last")
    told = list(map(json.loads, lines()))
    assert [(line.get("request_id"), line.get("user")) for line in told] == [
        ("a", "a"),
        ("b", "b"),
        (None, None),
    ]
    assert all(line["outer"] == 1 for line in told)


def test_a_trace_is_told(lines):
    logs.start("x", form="json")
    failed = LookupError("gone")
    logs.get("m").error("defect", exc_info=failed)
    try:
        raise failed
    except LookupError:
        logs.get("m").exception("defect")
    for line in map(json.loads, lines()):
        assert line["level"] == "error"
        assert line["exception"].endswith("LookupError: gone")
        assert "exc_info" not in line


def test_a_trace_is_readable_on_a_terminal(lines):
    logs.start("x", form="console")
    logs.get("m").error("defect", exc_info=LookupError("gone"))
    first, *_, last = lines()
    assert "error" in first
    assert "defect" in first
    assert last == "LookupError: gone"


@pytest.mark.parametrize("form", ["json", "console"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(value=st.text())
def test_no_value_makes_a_second_line_or_speaks_to_the_terminal(form, value):
    out = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", out)
        logs.start("x", form=form)
        logs.get("m").info("event", value=value)
    text = out.getvalue()
    assert text.endswith("\n")
    assert text[:-1].isprintable()


def test_a_closed_output_harms_nobody(monkeypatch):
    class Gone(io.StringIO):
        def flush(self):
            raise BrokenPipeError

    logs.start("x", form="json")
    monkeypatch.setattr(sys, "stdout", Gone())
    logs.get("m").info("event")
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stdout", closed)
    logs.get("m").info("event")
