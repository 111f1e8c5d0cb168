"""One Ansible run in a process of its own, which leaves nothing behind however it ends.

Started by path, so it imports nothing of ours. Reads one JSON line (the order) from standard
input and keeps it open: when the other end closes, or the parent dies, everything this process
started is killed and the job's folder removed. Answers one JSON line per event.

Why a process: ansible-runner forks with a pseudo-terminal, which is not safe in a process that
runs gRPC threads; and Ansible's workers leave their process group, so that only an ancestor that
adopts orphans (a subreaper) can find all of them.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
KEPT = ("msg", "reason", "journal", "failed")
TEXT_LIMIT = 4000
KINDS = frozenset(
    {
        "runner_on_start",
        "runner_on_ok",
        "runner_on_skipped",
        "runner_on_failed",
        "runner_on_unreachable",
        "playbook_on_stats",
    }
)


def children(pid: int) -> Iterator[int]:
    """Every living process below this one, the nearest first."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            after_name = (entry / "stat").read_text("latin-1").rpartition(")")[2]
            parents.setdefault(int(after_name.split()[1]), []).append(int(entry.name))
    nearest = [pid]
    while nearest:
        nearest = [child for one in nearest for child in parents.get(one, [])]
        yield from nearest


def kill_all() -> None:
    """Kill every descendant; orphans come to us, so repeat until there is none.

    Never wait blocking: one may be forked by its parent between our look and our kill.
    """
    while alive := list(children(os.getpid())):
        for pid in alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        time.sleep(0.005)


def slim(result: dict[str, Any]) -> dict[str, Any]:
    """The few fields of a result that tell a story, cut to a sane length."""
    kept = {key: short(result[key]) for key in KEPT if key in result}
    items = [slim(item) for item in result.get("results") or () if isinstance(item, dict)]
    failed = [item for item in items if item.get("failed")]
    return {**kept, "results": failed[:1]} if failed else kept


def short(value: object) -> object:
    """Text, or the last lines of a list of texts."""
    if isinstance(value, list):
        return [str(item)[:TEXT_LIMIT] for item in value[-50:]]
    return value if isinstance(value, bool) else str(value)[:TEXT_LIMIT]


def story(event: dict[str, Any]) -> dict[str, Any] | None:
    """An event as the parent wants it; None when it tells nothing."""
    kind, data = event.get("event"), event.get("event_data") or {}
    if kind not in KINDS:
        return None
    result: dict[str, Any]
    if kind == "playbook_on_stats":
        result = {key: sorted(data.get(key) or {}) for key in ("processed", "failures", "dark")}
    else:
        ignored = bool(data.get("ignore_errors"))
        result = {**slim(data.get("res") or {}), "ignore_errors": ignored}
    return {"kind": kind, "host": data.get("host"), "task": data.get("task"), "result": result}


def run(order: dict[str, Any], say: Any) -> None:
    """Run the playbook and say what happens."""
    from ansible_runner.config.runner import RunnerConfig
    from ansible_runner.runner import Runner

    config = RunnerConfig(
        private_data_dir=order["folder"],
        project_dir=order["playbooks"],
        playbook=order["playbook"],
        inventory=order["inventory"],
        forks=order["forks"],
        ident="run",
        quiet=True,
        settings={"pexpect_timeout": 1},
    )
    config.prepare()

    def heard(event: dict[str, Any]) -> bool:
        told = story(event)
        if told is not None:
            say(told)
        return False

    status, code = Runner(config, event_handler=heard).run()
    output = Path(config.artifact_dir, "stdout")
    words = output.read_text("utf-8", "replace")[-TEXT_LIMIT:] if code and output.exists() else ""
    say({"kind": "end", "result": {"status": status, "code": code, "msg": words}})


def main() -> None:
    """Take the order, watch the other end, run, clean up."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})  # a parent may pass its mask on
    line = sys.stdin.readline()
    if not line:
        return
    order = json.loads(line)
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def say(told: dict[str, Any]) -> None:
        answers.write(json.dumps(told) + "\n")
        answers.flush()

    def end_now(*_: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        kill_all()
        shutil.rmtree(order["folder"], ignore_errors=True)
        os._exit(143)

    def watch() -> None:
        while os.read(0, 1024):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    signal.signal(signal.SIGTERM, end_now)
    threading.Thread(target=watch, daemon=True).start()
    try:
        run(order, say)
    finally:
        kill_all()


if __name__ == "__main__":
    main()
