"""Count boto3 sessions and EC2 clients of a process: on its path only while row P18 is measured.

Appends a line per session and client to the file KITE_TEST_COUNT.
"""

import builtins
import os
import sys
import threading

_import = builtins.__import__
_patched = threading.Lock()  # taken once and kept: two threads may import at a time


def _note(word):
    with open(os.environ["KITE_TEST_COUNT"], "a") as file:  # noqa: PTH123 - pathlib comes later
        file.write(f"{os.getpid()} {word}\n")


def _counting(cls, method, word):
    before = getattr(cls, method)

    def counted(self, *args, **kwargs):
        _note(word)
        return before(self, *args, **kwargs)

    setattr(cls, method, counted)


def _watch(name, *args, **kwargs):
    module = _import(name, *args, **kwargs)
    session = sys.modules.get("boto3.session")
    if hasattr(session, "Session") and _patched.acquire(blocking=False):
        builtins.__import__ = _import
        _counting(session.Session, "__init__", "session")
        _counting(session.Session, "client", "client")
    return module


if "KITE_TEST_COUNT" in os.environ:
    builtins.__import__ = _watch
