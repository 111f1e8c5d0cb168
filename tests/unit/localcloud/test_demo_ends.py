"""However a demo ends, it takes everything down, and says in a sentence why it ended."""

import io
import os
import signal
from dataclasses import dataclass, field

import pytest
from rich.console import Console

from localcloud.demo import __main__ as demo
from localcloud.demo.screen import Screen
from localcloud.demo.stage import Built, Stage, Unfit
from localcloud.demo.story import Scene

SCENE = Scene(
    "http://127.0.0.1:8080", "http://127.0.0.1:5577", "us-east-1", "a", "198.18.88.200", "b"
)
ENDS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


def send(*signs):
    for sign in signs:
        os.kill(os.getpid(), sign)


@dataclass
class FakeStage:
    """A stage whose steps do what a test wants, and which knows whether it was taken down."""

    folder: object
    building: object = None
    striking: object = None
    down: bool = False
    left: list[str] = field(default_factory=list)

    def build(self):
        if self.building:
            self.building()
        return Built(SCENE, {})

    def strike(self):
        if self.striking:
            self.striking()
        self.down = True
        return self.left


@pytest.fixture
def told(monkeypatch):
    """What the story does; nothing unless a test says so."""
    doing = []

    class FakeStory:
        def __init__(self, scene, screen):
            self.screen, self.calls = screen, {"RunInstances": 1}

        def tell(self):
            for one in doing:
                one(self.screen)

    monkeypatch.setattr(demo, "Story", FakeStory)
    return doing


@pytest.fixture
def perform(tmp_path, told):
    def run(keep=False, **how):
        screen, stage = Screen(), FakeStage(tmp_path, **how)
        screen.console = Console(file=io.StringIO(), width=500)
        before = [signal.getsignal(kind) for kind in ENDS]
        code = demo._perform(stage, screen, keep=keep)
        assert [signal.getsignal(kind) for kind in ENDS] == before
        return code, stage.down, screen.console.file.getvalue()

    return run


def test_a_story_that_ends_well_is_taken_down_and_told_in_figures(perform):
    code, down, said = perform()
    assert (code, down) == (0, True)
    assert "The story in figures" in said


def test_a_kept_one_stays_up_and_says_what_to_do_next(perform, tmp_path):
    code, down, said = perform(keep=True)
    assert (code, down) == (0, False)
    assert "End it all: make stop" in said
    assert (tmp_path / "env").exists()


@pytest.mark.parametrize("sign", ENDS)
@pytest.mark.parametrize("keep", [False, True])
def test_a_signal_in_the_story_ends_it_and_takes_it_down(perform, told, sign, keep):
    told.append(lambda _: send(sign))
    code, down, said = perform(keep=keep)
    assert (code, down) == (130, True)
    assert "Interrupted; taking everything down." in said


@pytest.mark.parametrize("more", ENDS)
def test_signals_after_the_first_do_not_disturb_the_taking_down(perform, told, more):
    told.append(lambda _: send(signal.SIGINT))
    code, down, _ = perform(striking=lambda: send(more))
    assert (code, down) == (130, True)


@pytest.mark.parametrize("sign", ENDS)
def test_a_signal_while_a_good_story_is_taken_down_is_too_late(perform, sign):
    code, down, _ = perform(striking=lambda: send(sign))
    assert (code, down) == (0, True)


def fail_in_a_step(screen):
    with screen.step("POST [/v1/milvus]"):
        raise RuntimeError("the log says [/x] and [red]")


def test_a_failing_step_is_named_with_its_reason_whatever_it_says(perform, told):
    told.append(fail_in_a_step)
    code, down, said = perform()
    assert (code, down) == (1, True)
    assert "POST [/v1/milvus]: the log says [/x] and [red]" in said
    assert "Logs: " in said


def full(*_):
    raise OSError(28, "No space left on device", ".run/ec2-calls.json")


def test_what_breaks_between_steps_is_a_sentence_too(perform, told):
    told.append(full)
    code, down, said = perform()
    assert (code, down) == (1, True)
    assert "No space left on device: '.run/ec2-calls.json'" in said
    assert "Traceback" not in said


def test_a_hand_over_that_cannot_be_written_leaves_nothing_running(perform, monkeypatch):
    monkeypatch.setattr(demo.handover, "write", full)
    code, down, said = perform(keep=True)
    assert (code, down) == (1, True)
    assert "No space left" in said


def test_a_cloud_that_does_not_come_up_is_taken_down(perform):
    assert perform(building=full)[:2] == (1, True)


@pytest.mark.parametrize("how", [{"left": ["a mount"]}, {"striking": full}])
def test_what_stays_behind_is_a_failure(perform, how):
    code, _, said = perform(**how)
    assert code == 1
    assert "✗ Nothing is left on this machine" in said


def test_services_of_an_earlier_demo_in_this_folder_are_named(tmp_path, monkeypatch):
    stage = Stage(tmp_path, print)
    monkeypatch.setattr("localcloud.demo.stage.tenancy.tenant", lambda _: None)
    stage.children.start("registry", ("sleep", "60"), {})
    try:
        with pytest.raises(Unfit) as unfit:
            stage.check()
        assert unfit.value.sentences == [
            "Of an earlier demo in this folder registry still run; end it with `make stop` first."
        ]
    finally:
        stage.children.stop("registry")
