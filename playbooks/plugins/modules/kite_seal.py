"""Tell whether a host is already as asked, and remember that it is."""

from __future__ import annotations

import json
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.kite_host import answer, put, run, sha256_of, text_of

DOCUMENTATION = """
module: kite_seal
short_description: Tell whether a host is already as asked, and remember that it is
description:
  - O(state=look) answers changed when anything differs from the last sealed install - other
    variables, other roles, an edited or missing file, a dead unit, a missing or grown disk.
  - O(state=close) writes the seal. It is written last, so a broken run never leaves one.
options:
  state: {type: str, choices: [look, close], required: true, description: What to do.}
  digest: {type: str, required: true, description: Digest of what is asked.}
  path: {type: path, default: /etc/kite/seal.json, description: Where the seal lies.}
  files: {type: list, elements: path, default: [], description: Files that must not change.}
  units: {type: list, elements: str, default: [], description: Units that must be active.}
  mounts: {type: list, elements: path, default: [], description: Mounts that must be there.}
author: [Kite]
"""


def device_sectors(mount: str) -> int:
    """Size of the device under a mount point in 512-byte sectors; 0 when nothing is mounted."""
    for line in text_of("/proc/self/mountinfo").splitlines():
        words = line.split()
        if words[4] == mount:
            return int(text_of(f"/sys/dev/block/{words[2]}/size") or 0)
    return 0


def seen(params: dict[str, t.Any]) -> dict[str, t.Any]:
    """What is there now, in the form the seal keeps."""
    return {
        "digest": params["digest"],
        "files": {path: sha256_of(path) for path in params["files"]},
        "mounts": {mount: device_sectors(mount) for mount in params["mounts"]},
    }


def difference(old: dict[str, t.Any], new: dict[str, t.Any]) -> str:
    """Why a host is not settled, in words; empty when it is."""
    if not old:
        return "never sealed"
    if old.get("digest") != new["digest"]:
        return "asked for something else"
    for kind in ("files", "mounts"):
        for name, value in new[kind].items():
            if not value or old.get(kind, {}).get(name) != value:
                return f"{name} is not as it was left"
    return ""


def inactive(units: t.Sequence[str]) -> str:
    """The units that do not run; one question for all of them."""
    if not units:
        return ""
    states = run("systemctl", "is-active", *units, check=False).stdout.split()
    running = [state == "active" for state in states] + [False] * len(units)
    return ", ".join(unit for index, unit in enumerate(units) if not running[index])


def main() -> None:
    """Entry point of the module."""
    spec = {
        "state": {"type": "str", "choices": ["look", "close"], "required": True},
        "digest": {"type": "str", "required": True},
        "path": {"type": "path", "default": "/etc/kite/seal.json"},
        "files": {"type": "list", "elements": "path", "default": []},
        "units": {"type": "list", "elements": "str", "default": []},
        "mounts": {"type": "list", "elements": "path", "default": []},
    }
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    params = module.params

    def work() -> dict[str, t.Any]:
        new = seen(params)
        if params["state"] == "close":
            text = json.dumps(new, indent=1, sort_keys=True) + "\n"
            return {"changed": put(params["path"], text, 0o600, pretend=module.check_mode)}
        old = json.loads(text_of(params["path"]) or "{}")
        why = difference(old, new)
        if not why:
            dead = inactive(params["units"])
            why = f"{dead} does not run" if dead else ""
        return {"changed": bool(why), "why": why}

    answer(module, work)


if __name__ == "__main__":
    main()
