"""Controller half of kite_seal: a changed role or module is also a reason to look closer."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase

PLAYBOOKS = Path(__file__).resolve().parents[2]


def content_digest(folder: Path) -> str:
    """Digest over every role and module file, names included, in a fixed order."""
    whole = hashlib.sha256()
    for part in ("roles", "plugins"):
        for file in sorted((folder / part).rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                whole.update(f"{file.relative_to(folder)}\0".encode())
                whole.update(hashlib.sha256(file.read_bytes()).digest())
    return whole.hexdigest()


class ActionModule(ActionBase):
    """Adds the digest of the roles to the digest of the variables."""

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        asked = f"{self._task.args['digest']} {content_digest(PLAYBOOKS)}"
        digest = hashlib.sha256(asked.encode()).hexdigest()
        arguments = {**self._task.args, "digest": digest}
        done = self._execute_module(
            module_name="ansible.legacy.kite_seal", module_args=arguments, task_vars=task_vars
        )
        return {**result, **done}
