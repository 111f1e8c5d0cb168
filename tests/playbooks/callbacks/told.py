"""Standard output of Ansible as JSON lines, for tests to read."""

import json

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: told
type: stdout
short_description: One JSON line per result
description: One JSON line per result, and one with the figures at the end.
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "told"

    def _say(self, **told):
        self._display.display(json.dumps(told, default=str))

    def _told(self, kind, result):
        self._say(
            kind=kind,
            host=result._host.get_name(),
            task=result._task.get_name().rpartition(" : ")[2],
            result=dict(result._result),
        )

    def v2_runner_on_ok(self, result):
        self._told("ok", result)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self._told("failed", result)

    def v2_runner_on_unreachable(self, result):
        self._told("unreachable", result)

    def v2_playbook_on_stats(self, stats):
        self._say(kind="stats", figures={h: stats.summarize(h) for h in stats.processed})
