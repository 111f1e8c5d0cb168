"""Write a service's files, run its unit, and stay until it answers or is known to be dead."""

from __future__ import annotations

import http.client
import time
import typing as t
import urllib.error
import urllib.request
from http import HTTPStatus
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.kite_host import Refused, answer, journal_tail, put, run

DOCUMENTATION = """
module: kite_service
short_description: Write a service's files, run its unit, stay until it answers
description:
  - Restarts the unit once when a file changed or O(restart) is set, starts it when it is not
    active, and leaves it alone otherwise. A unit that dies ends the wait at once, with the tail
    of its journal.
options:
  name: {type: str, required: true, description: Unit name with its suffix.}
  files: {type: list, elements: dict, default: [], description: Files as path, content, mode.}
  restart: {type: bool, default: false, description: What it runs from was replaced.}
  health_url: {type: str, default: '', description: Address that answers 200 when it works.}
  health_seconds: {type: int, default: 120, description: How long it may take to answer.}
  state: {type: str, choices: [answering, absent], default: answering, description: The aim.}
author: [Kite]
"""

DEATHS = 2
LOOK_SECONDS = 0.05


def status(unit: str) -> dict[str, str]:
    """What systemd says about the unit."""
    wanted = "LoadState,ActiveState,SubState,Result,NRestarts,UnitFileState,ExecMainStatus"
    shown = run("systemctl", "show", "--property", wanted, unit).stdout
    return dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)


def dead(state: dict[str, str]) -> bool:
    """Whether waiting is pointless: it failed for good or keeps dying."""
    return state["ActiveState"] == "failed" or int(state.get("NRestarts") or 0) >= DEATHS


def death(unit: str, state: dict[str, str]) -> str:
    """How it ended, in a sentence."""
    if state["ActiveState"] == "failed":
        return "{} died: {}, exit status {}".format(
            unit, state.get("Result"), state.get("ExecMainStatus")
        )
    return "{} keeps dying, {} times by now".format(unit, state.get("NRestarts"))


def healthy(url: str) -> bool:
    """One question with a short patience."""
    try:
        with urllib.request.urlopen(url, timeout=3) as reply:  # noqa: S310 - http by spec
            return bool(reply.status == HTTPStatus.OK)
    except (OSError, urllib.error.URLError, http.client.HTTPException):
        return False


def wait(unit: str, url: str, seconds: int) -> None:
    """Until it answers; a Refused with the journal's tail when it is dead or too late."""
    until = time.monotonic() + seconds
    look = time.monotonic() + 0.3
    while not healthy(url):
        now = time.monotonic()
        if now > look:
            state, look = status(unit), now + 0.5
            if dead(state):
                raise Refused("UNIT_FAILED", death(unit, state), journal=journal_tail(unit))
        if now > until:
            words = f"{unit} does not answer at {url} after {seconds} s"
            raise Refused("NOT_HEALTHY", words, journal=journal_tail(unit))
        time.sleep(LOOK_SECONDS)


def write(files: t.Sequence[dict[str, t.Any]], *, pretend: bool) -> list[str]:
    """Bring all files to what is asked; answers the changed ones."""
    return [
        file["path"]
        for file in files
        if put(file["path"], file["content"], int(file.get("mode", "0644"), 8), pretend=pretend)
    ]


def ensure(params: dict[str, t.Any], *, pretend: bool) -> dict[str, t.Any]:
    """Files, unit, health."""
    unit = params["name"]
    changed = write(params["files"], pretend=pretend)
    before = status(unit)
    active = before["ActiveState"] == "active"
    again = active and (bool(changed) or params["restart"])
    enable = before.get("UnitFileState") != "enabled"
    if not pretend:
        if enable:
            run("systemctl", "enable", unit)  # has systemd read its files again
        elif any(path.startswith("/etc/systemd/") for path in changed):
            run("systemctl", "daemon-reload")
        if not active or again:
            run("systemctl", "reset-failed", unit, check=False)
            run("systemctl", "restart", unit, timeout=300)
        if params["health_url"]:
            wait(unit, params["health_url"], params["health_seconds"])
    return {"changed": bool(changed) or again or not active or enable, "files": changed}


def remove(params: dict[str, t.Any], *, pretend: bool) -> dict[str, t.Any]:
    """Stop the unit for good and take its files away; data is left alone."""
    unit = params["name"]
    there = [file["path"] for file in params["files"] if Path(file["path"]).exists()]
    loaded = status(unit)["LoadState"] == "loaded"
    if not pretend:
        if loaded:
            run("systemctl", "disable", "--now", unit, check=False, timeout=300)
        for path in there:
            Path(path).unlink()
        if there or loaded:
            run("systemctl", "daemon-reload")
            run("systemctl", "reset-failed", unit, check=False)
    return {"changed": loaded or bool(there), "files": there}


def main() -> None:
    """Entry point of the module."""
    spec = {
        "name": {"type": "str", "required": True},
        "files": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {
                "path": {"type": "path", "required": True},
                "content": {"type": "str", "default": ""},
                "mode": {"type": "str", "default": "0644"},
            },
        },
        "restart": {"type": "bool", "default": False},
        "health_url": {"type": "str", "default": ""},
        "health_seconds": {"type": "int", "default": 120},
        "state": {"type": "str", "choices": ["answering", "absent"], "default": "answering"},
    }
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    act = remove if module.params["state"] == "absent" else ensure
    answer(module, lambda: act(module.params, pretend=module.check_mode))


if __name__ == "__main__":
    main()
