"""Named places where a test may kill this process: KITE_CRASH_AT=name.

A crash here is a real one: no cleanup runs, as with a power cut.
"""

import os

_AT = os.environ.get("KITE_CRASH_AT", "")

POINTS = (
    "after-claim",
    "after-see",
    "before-reserve",
    "after-reserve",
    "after-launch",
    "after-act",
    "after-commit",
)


def point(name: str) -> None:
    """Die here if told so."""
    if _AT and name == _AT:
        os._exit(137)
