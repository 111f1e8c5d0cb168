"""Named places where a test may kill or stop this process: KITE_CRASH_AT.

A crash here is a real one: SIGKILL, no cleanup, as with a power cut. Each place lies between two
effects on the world. POINTS lists those that tests/crash goes through: it proves that each is
reached, and that a story in which a process died there ends as if it had not.

A name says the side and the thing: `before-X` or `after-X`. X is an action of EC2 as AWS spells it
(`RunInstances`, never boto3's `run_instances`); `answer-M` the caller's and `reply-M` the server's
side of the gRPC method M as the protos spell it; else a step of ours in small words (`journal`).
"""

import os
import signal
import threading
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

# `KITE_CRASH_AT=name` kills at the place of that name. `KITE_CRASH_AT=@file` has the place in a
# file, so that a running process can be armed: `name` kills there, `name stop` freezes there
# (SIGSTOP). The file is removed when the place is reached, so the next process is not armed.
_AT = os.environ.get("KITE_CRASH_AT", "")

# "after-X" with an action of EC2 is the place where EC2 has answered; "-undo" is of what nobody
# will look for any more (provisioner) and of a list that EC2 refused (whitelist).
POINTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "registry": (
            "before-journal",
            "in-journal",
            "after-journal",
            "after-record",
            "after-lease",
            "before-reply-CreateCluster",
            "before-reply-Claim",
            "before-reply-Renew",
            "before-reply-Commit",
            "before-reply-SetWhitelist",
            "before-reply-RecordOperation",
            "before-reply-DeleteCluster",
        ),
        "provisioner": (
            "after-claim",
            "after-answer-Renew",
            "after-see",
            "before-reserve",
            "after-reserve",
            "before-AllocateAddress",
            "after-AllocateAddress",
            "after-answer-EnsureGroups",
            "before-RunInstances",
            "after-RunInstances",
            "after-act",
            "after-commit",
            "before-AssociateAddress",
            "after-AssociateAddress",
            "before-install",
            "after-install",
            "after-secure",
            "before-settle",
            "after-settle",
            "after-answer-CloseGroups",
            "before-TerminateInstances",
            "after-TerminateInstances",
            "before-DeleteVolume",
            "after-DeleteVolume",
            "before-ReleaseAddress",
            "after-ReleaseAddress",
            "after-answer-DropGroups",
            "before-gone",
            "after-gone",
            "before-undo",
            "after-undo",
            "before-sweep-instance",
            "after-sweep-instance",
            "before-sweep-volume",
            "after-sweep-volume",
            "before-sweep-address",
            "after-sweep-address",
        ),
        "whitelist": (
            "after-CreateSecurityGroup",
            "after-AuthorizeSecurityGroupIngress",
            "before-reply-EnsureGroups",
            "after-answer-SetWhitelist",
            "after-RevokeSecurityGroupIngress",
            "after-answer-RecordOperation",
            "before-reply-SetRules",
            "before-reply-CloseGroups",
            "after-DeleteSecurityGroup",
            "before-reply-DropGroups",
            "before-undo",
            "after-undo",
            "before-sweep-group",
            "after-sweep-group",
        ),
        "bff": (
            "after-answer-CheckRules",
            "after-answer-CreateCluster",
            "after-answer-SetRules",
            "after-answer-DeleteCluster",
        ),
    }
)


def point(*words: str) -> None:
    """Die, or stand still, here if told so; `words` make the place's name."""
    if not _AT:
        return
    name = "".join(words)
    if _AT.startswith("@"):
        _armed(name, Path(_AT[1:]))
    elif name == _AT:
        os.kill(os.getpid(), signal.SIGKILL)


def _armed(name: str, file: Path) -> None:
    try:
        at, _, how = file.read_text().strip().partition(" ")
        if at != name:
            return
        file.unlink()
    except FileNotFoundError:
        return
    # A stop sent to the process lets this thread run on until another one has taken it.
    signal.pthread_kill(threading.get_ident(), signal.SIGSTOP if how == "stop" else signal.SIGKILL)
