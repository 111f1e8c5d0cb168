"""What events mean: a table of endings, and a story that never goes backwards."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from provisioner.install import progress
from provisioner.install.job import Reason
from provisioner.install.progress import STEPS, Event, begin, clean, finish, tell
from tests.unit.provisioner_install.roles import ROLES, tasks

FIRST, LAST = next(iter(STEPS)), list(STEPS)[-1]


def end_of(*events):
    story = begin(["a"])
    for event in events:
        story = tell(story, event)
    return story["a"]


def failed(task=FIRST, **result):
    return Event("runner_on_failed", "a", task, result)


def unreachable(msg):
    return Event("runner_on_unreachable", "a", result={"msg": msg})


STATS = Event("playbook_on_stats", result={"processed": ["a"], "failures": [], "dark": []})


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (failed(msg="no"), Reason.TASK_FAILED),
        (failed(msg="no", reason="UNIT_FAILED"), Reason.UNIT_FAILED),
        (failed(msg="no", reason="CHECKSUM_MISMATCH"), Reason.CHECKSUM_MISMATCH),
        (failed(msg="no", reason="OK"), Reason.TASK_FAILED),
        (failed(msg="no", reason="CANCELLED"), Reason.TASK_FAILED),
        (failed(msg="no", reason="{{ 1 }}"), Reason.TASK_FAILED),
        (failed(msg="[Errno 28] No space left on device"), Reason.DISK_FULL),
        (failed("Install the container engine", msg="404"), Reason.PACKAGE_UNAVAILABLE),
        (failed("Start the unit", results=[{"failed": False}, {"failed": True, "msg": "x",
         "reason": "NOT_HEALTHY"}]), Reason.NOT_HEALTHY),
        (unreachable("Failed to connect: timed out"), Reason.UNREACHABLE),
        (unreachable("Host key verification failed."), Reason.HOST_IDENTITY),
        (unreachable("WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!"), Reason.HOST_IDENTITY),
        (unreachable("ubuntu@h: Permission denied (publickey)."), Reason.ACCESS_DENIED),
        (STATS, Reason.OK),
    ],
)  # fmt: skip
def test_every_ending_has_its_reason(event, reason):
    assert end_of(event).reason == reason


def test_the_description_names_the_task_and_brings_the_journal():
    end = end_of(failed(FIRST, msg="it died", journal=["one", "panic: two"]))

    assert end.description.splitlines() == [f"{FIRST}: it died", "one", "panic: two"]


def test_a_long_journal_keeps_its_beginning_and_its_end():
    end = end_of(failed(FIRST, msg="died", journal=["x" * 300] * 40 + ["the cause"]))

    assert end.description.startswith(FIRST)
    assert end.description.endswith("the cause")
    assert len(end.description) < 2100


@given(st.text())
def test_words_of_a_host_are_safe_for_a_log(text):
    assert clean(text).isprintable()


@pytest.mark.parametrize("text", ["a\nb", "\x1b[31mred", "a\rb", "\u202eevil", "\u2028"])
def test_control_characters_of_a_host_are_taken_out(text):
    assert not set(clean(text)) & set("\n\r\x1b\u202e\u2028")


def test_an_ignored_failure_is_no_end():
    assert end_of(failed(msg="no", ignore_errors=True)).reason == ""


def test_the_first_end_counts():
    assert end_of(failed(msg="first", reason="DISK_FULL"), unreachable("x"), STATS).reason == (
        Reason.DISK_FULL
    )


@pytest.mark.parametrize("where", ["failures", "dark"])
def test_stats_do_not_call_a_broken_host_well(where):
    result = {"processed": ["a"], "failures": [], "dark": [], where: ["a"]}

    assert end_of(Event("playbook_on_stats", result=result)).reason == ""


def test_stats_that_do_not_name_a_host_say_nothing_of_it():
    assert end_of(Event("playbook_on_stats", result={"processed": ["b"]})).reason == ""
    assert end_of(Event("playbook_on_stats")).reason == ""


def test_strangers_are_not_heard():
    assert tell(begin(["a"]), Event("runner_on_ok", "b", FIRST)) == begin(["a"])
    assert tell(begin(["a"]), Event("playbook_on_task_start", "a")) == begin(["a"])


def test_what_has_no_end_gets_the_given_one():
    story = tell(begin(["a", "b"]), failed(msg="no", reason="UNIT_FAILED"))

    ends = finish(story, Reason.DEADLINE, "late")

    assert (ends["a"].reason, ends["b"].reason) == (Reason.UNIT_FAILED, Reason.DEADLINE)
    assert ends["b"].description == "late"


def test_progress_is_told_in_words_and_figures():
    story = begin(["a"])
    seen = [progress.progress(story)[0]]
    for event in [
        Event("connecting", "a"),
        Event("runner_on_start", "a", FIRST),
        Event("runner_on_ok", "a", FIRST),
        STATS,
    ]:
        story = tell(story, event)
        seen.append(progress.progress(story)[0])

    total = len(STEPS)
    assert [(p.step, p.done, p.total) for p in seen] == [
        ("waiting for its turn", 0, total),
        ("connecting", 0, total),
        (STEPS[FIRST], 0, total),
        (STEPS[FIRST], 1, total),
        ("done", total, total),
    ]


KINDS = ["runner_on_start", "runner_on_ok", "runner_on_skipped", "playbook_on_stats"]
EVENTS = st.builds(
    Event,
    kind=st.sampled_from([*KINDS, "runner_on_failed", "runner_on_unreachable"]),
    host=st.sampled_from(["a", "b", ""]),
    task=st.sampled_from([*STEPS, "Something else"]),
    result=st.fixed_dictionaries({"processed": st.just(["a"]), "msg": st.text(max_size=9)}),
)


@given(st.lists(EVENTS, max_size=30))
def test_progress_never_goes_backwards_and_an_end_stays(events):
    story = begin(["a", "b"])
    for event in events:
        after = tell(story, event)
        for before, now in zip(progress.progress(story), progress.progress(after), strict=True):
            assert before.done <= now.done <= now.total
        assert all(after[t].reason == story[t].reason for t in story if story[t].reason)
        story = after


def test_every_task_that_works_on_a_host_is_a_step():
    names = {
        task["name"]
        for path in sorted(ROLES.glob("*/tasks/*.yml"))
        if path.stem not in {"verify", "remove", "preflight"}
        for task in tasks(yaml.safe_load(path.read_text()))
    }
    handlers = yaml.safe_load((ROLES / "seal/handlers/main.yml").read_text())

    assert names | {task["name"] for task in handlers} == set(STEPS)
