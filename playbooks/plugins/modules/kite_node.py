"""Prepare a host: first boot over, service user, folders, kernel settings."""

from __future__ import annotations

import platform
import pwd
import shutil
import typing as t
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.kite_host import Refused, answer, put, run

DOCUMENTATION = """
module: kite_node
short_description: Prepare a host - first boot over, service user, folders, kernel settings
description: Waits for cloud-init, then makes a system user, folders and a sysctl file.
options:
  user: {type: str, required: true, description: System user that runs the services.}
  folders: {type: list, elements: path, default: [], description: Folders of root to make.}
  sysctl: {type: dict, default: {}, description: Kernel settings by name.}
  first_boot_seconds: {type: int, default: 600, description: How long cloud-init may take.}
  free_mib: {type: int, default: 0, description: Free space the root disk must have.}
  machine: {type: str, default: '', description: Machine the host must be, as uname tells it.}
author: [Kite]
"""

SYSCTL = Path("/etc/sysctl.d/60-kite.conf")
CONTAINER = Path("/run/systemd/container")  # systemd writes it where the kernel is another's


def check_host(params: dict[str, t.Any]) -> None:
    """Refuse a host on which the rest cannot work, before anything is changed."""
    if not Path("/run/systemd/system").is_dir():
        raise Refused("TASK_FAILED", "systemd does not run on this host")
    if params["machine"] and platform.machine() != params["machine"]:
        raise Refused(
            "TASK_FAILED",
            "this host is {}, the software is for {}".format(platform.machine(), params["machine"]),
        )
    free = shutil.disk_usage("/").free >> 20
    if free < params["free_mib"]:
        raise Refused(
            "DISK_FULL", "/ has {} MiB free, {} are needed".format(free, params["free_mib"])
        )


def wait_for_first_boot(seconds: int) -> None:
    """Let cloud-init finish: it holds the package lock and may still write our files' folders."""
    if shutil.which("cloud-init"):
        run("cloud-init", "status", "--wait", check=False, timeout=seconds)


def ensure_user(name: str, *, pretend: bool) -> bool:
    """Make the system user; answers whether it was missing."""
    try:
        pwd.getpwnam(name)
    except KeyError:
        if not pretend:
            shell = "/usr/sbin/nologin"
            run("useradd", "--system", "--user-group", "--no-create-home", "--shell", shell, name)
        return True
    return False


def ensure_folders(folders: t.Sequence[str], *, pretend: bool) -> bool:
    """Make the missing folders; answers whether there were any."""
    missing = [folder for folder in map(Path, folders) if not folder.is_dir()]
    if not pretend:
        for folder in missing:
            folder.mkdir(mode=0o755, parents=True)
    return bool(missing)


def ensure_sysctl(settings: dict[str, t.Any], *, pretend: bool) -> bool:
    """Write the kernel settings and load them; with none asked, an old file goes away.

    Never in a container: settings made there are those of the machine around it.
    """
    if not settings or CONTAINER.exists():
        there = SYSCTL.exists()
        if there and not pretend:
            SYSCTL.unlink()
        return there
    text = "".join(f"{name} = {settings[name]}\n" for name in sorted(settings))
    changed = put(str(SYSCTL), text, 0o644, pretend=pretend)
    if changed and not pretend:
        run("sysctl", "--quiet", "--load", str(SYSCTL))
    return changed


def main() -> None:
    """Entry point of the module."""
    spec = {
        "user": {"type": "str", "required": True},
        "folders": {"type": "list", "elements": "path", "default": []},
        "sysctl": {"type": "dict", "default": {}},
        "first_boot_seconds": {"type": "int", "default": 600},
        "free_mib": {"type": "int", "default": 0},
        "machine": {"type": "str", "default": ""},
    }
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    params, pretend = module.params, module.check_mode

    def work() -> dict[str, t.Any]:
        check_host(params)
        wait_for_first_boot(params["first_boot_seconds"])
        done = [
            ensure_user(params["user"], pretend=pretend),
            ensure_folders(params["folders"], pretend=pretend),
            ensure_sysctl(params["sysctl"], pretend=pretend),
        ]
        return {"changed": any(done)}

    answer(module, work)


if __name__ == "__main__":
    main()
