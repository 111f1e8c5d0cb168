"""Controller half of kite_service: files given by template are rendered here."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible.plugins.loader import lookup_loader


class ActionModule(ActionBase):
    """Replaces the key `template` of each file by its rendered `content`."""

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        lookup = lookup_loader.get(
            "ansible.builtin.template", loader=self._loader, templar=self._templar
        )

        def rendered(file: dict[str, Any]) -> dict[str, Any]:
            if "template" not in file or self._task.args.get("state") == "absent":
                return {key: value for key, value in file.items() if key != "template"}
            (content,) = lookup.run([file["template"]], variables=task_vars)
            kept = {key: value for key, value in file.items() if key != "template"}
            return {**kept, "content": content}

        files = [rendered(file) for file in self._task.args.get("files", [])]
        done = self._execute_module(
            module_name="ansible.legacy.kite_service",
            module_args={**self._task.args, "files": files},
            task_vars=task_vars,
        )
        return {**result, **done}
