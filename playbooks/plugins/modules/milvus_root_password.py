"""Replace the root password every Milvus is born with, and prove that it opens nothing."""

from __future__ import annotations

import base64
import time
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.kite_grpc import call, fields, text_field
from ansible.module_utils.kite_host import Refused, answer

DOCUMENTATION = """
module: milvus_root_password
short_description: Replace the root password every Milvus is born with
description:
  - Talks to Milvus on this host itself, so the password travels inside SSH only.
  - A password that somebody changed since is left alone; what counts is that the default one
    opens nothing.
  - A Milvus whose process was killed changes no password until the session of that process has
    ended (66 seconds with Milvus 2.3.5); the module asks again until then.
  - A Milvus that is not ready refuses every password, so a refusal counts only when it lasts.
options:
  password: {type: str, default: '', description: The password to set; empty only checks.}
  port: {type: int, default: 19530, description: gRPC port of Milvus on this host.}
  timeout: {type: int, default: 30, description: How long Milvus may take, in seconds.}
author: [Kite]
"""

SERVICE = "/milvus.proto.milvus.MilvusService/"
BORN_WITH = "Milvus"
SETTLED_SECONDS = 3.0  # all passwords are refused so long before an unknown one is believed in
SUCCESS = 0
STATUS, REASON = 1, 2  # the status in a reply, the reason in a status


def encoded(text: str) -> str:
    """Base64, as Milvus wants credentials."""
    return base64.b64encode(text.encode()).decode()


def part(message: bytes, index: int) -> bytes:
    """What lies in a field of text or of a message; nothing where it is missing."""
    return next((v for i, v in fields(message) if i == index and isinstance(v, bytes)), b"")


def words_of(status: bytes) -> str:
    """What a Milvus status says, as far as a person would read it."""
    return part(status, REASON).decode("utf-8", "replace")[:300]


def code_of(status: bytes) -> int:
    """The error code of a Milvus status: the new field, else the old one."""
    found = {index: value for index, value in fields(status) if isinstance(value, int)}
    return found.get(3) or found.get(1) or SUCCESS


class Door:
    """Milvus on this host, asked as root."""

    def __init__(self, port: int, timeout: float, settled: float = SETTLED_SECONDS) -> None:
        self._address = ("127.0.0.1", port)
        self._until = time.monotonic() + timeout
        self._settled = settled

    def _ask(self, method: str, password: str, message: bytes) -> bytes | None:
        metadata = {"authorization": encoded("root:" + password)}
        while True:
            try:
                return call(self._address, SERVICE + method, metadata, message, 5)
            except (OSError, ValueError, IndexError) as error:
                if time.monotonic() > self._until:
                    words = f"Milvus does not answer on port {self._address[1]}: {error}"
                    raise Refused("NOT_HEALTHY", words) from error
            time.sleep(0.05)

    def opens(self, password: str) -> bool:
        """Whether root may list the users with this password."""
        while True:
            reply = self._ask("ListCredUsers", password, b"")
            if reply is None:
                return False
            if code_of(part(reply, STATUS)) == SUCCESS:
                return True
            if time.monotonic() > self._until:
                raise Refused("NOT_HEALTHY", "Milvus cannot list its users yet")
            time.sleep(0.05)

    def opened_by(self, *passwords: str) -> str | None:
        """The first of these that opens; None when all are refused, and not for a moment only."""
        until = time.monotonic() + self._settled
        while True:
            for password in passwords:
                if self.opens(password):
                    return password
            if time.monotonic() > until:
                return None
            time.sleep(0.2)

    def change(self, old: str, new: str) -> None:
        """Give root another password, or find that an earlier try has."""
        words = ((2, "root"), (3, encoded(old)), (4, encoded(new)))
        message = b"".join(text_field(index, value) for index, value in words)
        while True:
            reply = self._ask("UpdateCredential", old, message)
            changed = self.opens(new) if reply is None else code_of(reply) == SUCCESS
            if changed:
                return
            if time.monotonic() > self._until:
                told = f"Milvus refused to change the root password: {words_of(reply or b'')}"
                raise Refused("PASSWORD_NOT_SET", told)
            time.sleep(0.5)


def work(door: Door, password: str, *, pretend: bool) -> dict[str, t.Any]:
    """Change the default password if it still opens the door; a check changes nothing."""
    found = door.opened_by(*filter(None, (password, BORN_WITH)))
    if found is None:
        return {"changed": False, "msg": "the root password was changed by its owner"}
    if found != BORN_WITH:
        return {"changed": False, "msg": "the root password is the given one"}
    if not password:
        raise Refused("PASSWORD_NOT_SET", "root still has the password Milvus is born with")
    if password == BORN_WITH:
        raise Refused("PASSWORD_NOT_SET", "the default password may not stay")
    if not pretend:
        door.change(BORN_WITH, password)
        if door.opened_by(password) is None or door.opens(BORN_WITH):
            told = "the new root password does not open Milvus, or the default one still does"
            raise Refused("PASSWORD_NOT_SET", told)
    return {"changed": True, "msg": "the root password was replaced"}


def main() -> None:
    """Entry point of the module."""
    spec = {
        "password": {"type": "str", "default": "", "no_log": True},
        "port": {"type": "int", "default": 19530},
        "timeout": {"type": "int", "default": 30},
    }
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    params = module.params
    door = Door(params["port"], params["timeout"])
    answer(module, lambda: work(door, params["password"], pretend=module.check_mode))


if __name__ == "__main__":
    main()
