"""What a run's events mean for its hosts. Pure: events in, progress and results out.

Events come from machines that may be hostile: their words are shortened, control characters are
taken out, and a reason counts only when it is one of ours.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from provisioner.install.job import HostProgress, Reason

STEPS: Mapping[str, str] = {
    "Look whether the host is already as asked": "looking at the host",
    "Prepare the host": "preparing the host",
    "Bring the data disk into use": "mounting the data disk",
    "Fetch and unpack the server": "fetching Milvus",
    "Install the container engine": "installing the container engine",
    "Start Milvus and wait until it answers": "starting Milvus",
    "Replace the root password Milvus is born with": "setting the root password",
    "Install the node exporter of the distribution": "installing the node exporter",
    "Put the node exporter in place": "fetching the node exporter",
    "Start the node exporter and wait until it answers": "starting the node exporter",
    "Seal the host": "sealing the host",
}
"""Tasks that a reader hears of, in order. Other tasks pass in silence."""

MARKS = {name: index for index, name in enumerate(STEPS, start=1)}
WAITING = "waiting for its turn"
CONNECTING = "connecting"
DONE = "done"
WORDS_LIMIT = 2000
CLAIMABLE = frozenset(Reason) - {Reason.OK, Reason.CANCELLED, Reason.DEADLINE, Reason.BAD_JOB}


@dataclass(frozen=True)
class Event:
    """One thing that happened; `host` is empty when it concerns the whole run."""

    kind: str
    host: str = ""
    task: str = ""
    result: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class HostStory:
    """Where one host stands; `reason` is empty until it failed, OK when it is done."""

    step: str = WAITING
    done: int = 0
    reason: str = ""
    description: str = ""


Story = Mapping[str, HostStory]


def begin(tokens: Sequence[str]) -> Story:
    """A story in which nothing has happened."""
    return {token: HostStory() for token in tokens}


def tell(story: Story, event: Event) -> Story:
    """The story after one more event. Events of strangers and of the past change nothing."""
    host = story.get(event.host)
    if event.kind == "playbook_on_stats":
        return _stats(story, event)
    if host is None or host.reason:
        return story
    match event.kind:
        case "connecting":
            after = replace(host, step=CONNECTING)
        case "runner_on_start" if event.task in STEPS:
            mark = max(host.done, MARKS[event.task] - 1)
            after = replace(host, step=STEPS[event.task], done=mark)
        case "runner_on_ok" | "runner_on_skipped" if event.task in MARKS:
            after = replace(host, done=max(host.done, MARKS[event.task]))
        case "runner_on_failed" if not event.result.get("ignore_errors"):
            after = _failed(host, event)
        case "runner_on_unreachable":
            after = _unreachable(host, event)
        case _:
            return story
    return {**story, event.host: after}


def finish(story: Story, reason: Reason, description: str) -> Story:
    """The story when the run ended: hosts that have no end yet get this one."""
    return {
        token: host if host.reason else replace(host, reason=reason, description=description)
        for token, host in story.items()
    }


def progress(story: Story) -> tuple[HostProgress, ...]:
    """What to show for each host."""
    total = len(STEPS)
    return tuple(
        HostProgress(token, DONE, total, total)
        if host.reason == Reason.OK
        else HostProgress(token, host.step, host.done, total)
        for token, host in story.items()
    )


def _stats(story: Story, event: Event) -> Story:
    """The last event of a run that came to its end: who has no failure has succeeded."""
    known = _names(event, "processed") - _names(event, "failures") - _names(event, "dark")
    return {
        token: replace(host, reason=Reason.OK) if token in known and not host.reason else host
        for token, host in story.items()
    }


def _names(event: Event, what: str) -> set[str]:
    names = event.result.get(what)
    return set(names) if isinstance(names, Mapping | list) else set()


def _failed(host: HostStory, event: Event) -> HostStory:
    result = _telling(event.result)
    claimed = str(result.get("reason", ""))
    message = clean(str(result.get("msg", "")))
    reason = next((r for r in CLAIMABLE if r == claimed), Reason.TASK_FAILED)
    if "No space left on device" in message:
        reason = Reason.DISK_FULL
    elif reason == Reason.TASK_FAILED and event.task in _FETCHING:
        reason = Reason.PACKAGE_UNAVAILABLE
    tail = result.get("journal")
    lines = [clean(str(line)) for line in tail] if isinstance(tail, list) else []
    text = "\n".join([f"{event.task}: {message or 'failed'}", *lines])
    return replace(host, reason=reason, description=_shortened(text))


_FETCHING = frozenset(
    {"Install the container engine", "Install the node exporter of the distribution"}
)


def _telling(result: Mapping[str, object]) -> Mapping[str, object]:
    """In a loop the failing item tells more than the loop itself."""
    items = result.get("results")
    for item in items if isinstance(items, list) else []:
        if isinstance(item, Mapping) and item.get("failed"):
            return item
    return result


def _unreachable(host: HostStory, event: Event) -> HostStory:
    message = clean(str(event.result.get("msg", "")))
    reason = Reason.UNREACHABLE
    if any(words in message for words in _IDENTITY):
        reason = Reason.HOST_IDENTITY
    elif "Permission denied" in message:
        reason = Reason.ACCESS_DENIED
    return replace(host, reason=reason, description=_shortened(message or "unreachable"))


_IDENTITY = ("Host key verification failed", "REMOTE HOST IDENTIFICATION HAS CHANGED")


def clean(text: str) -> str:
    """One line without control characters, so that it can go into any log or terminal."""
    return "".join(c if c.isprintable() else " " for c in text).strip()


def _shortened(text: str) -> str:
    """The beginning names the task, the end of a journal names the cause: keep both."""
    if len(text) <= WORDS_LIMIT:
        return text
    head = WORDS_LIMIT // 4
    return f"{text[:head]} … {text[head - WORDS_LIMIT :]}"
