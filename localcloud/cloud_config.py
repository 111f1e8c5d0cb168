"""What an instance's user data asks for, as cloud-init would read it. Pure.

The part of cloud-init that Kite and its tests need: `#cloud-config` with `ssh_keys` and
`ssh_authorized_keys` (cloudinit.readthedocs.io, modules cc_ssh), and scripts that begin with `#!`.
Anything else is refused by name rather than silently skipped.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

import yaml

KINDS = ("ed25519", "ecdsa", "rsa")
KNOWN = {"ssh_keys", "ssh_authorized_keys", "ssh_deletekeys", "ssh_genkeytypes"}


class UserDataRefused(ValueError):
    """User data that this small cloud-init cannot do."""


@dataclass(frozen=True)
class HostKey:
    """A planted SSH host key; `kind` is one of KINDS."""

    kind: str
    private: str = field(repr=False)
    public: str


@dataclass(frozen=True)
class UserData:
    """What to do on first boot."""

    host_keys: tuple[HostKey, ...] = ()
    authorized_keys: tuple[str, ...] = ()
    script: str | None = None


def read(text: str | None) -> UserData:
    """Raises UserDataRefused with a sentence that names what was not understood."""
    if not text or not text.strip():
        return UserData()
    if text.startswith("#!"):
        return UserData(script=text)
    if text.splitlines()[0].rstrip() == "#cloud-config":
        return _cloud_config(text)
    raise UserDataRefused(
        f"User data begins with {text.splitlines()[0][:40]!r}; "
        "only '#cloud-config' and '#!' scripts are understood here."
    )


def _cloud_config(text: str) -> UserData:
    try:
        config = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise UserDataRefused(f"User data is not YAML: {error}") from None
    if not isinstance(config, dict):
        raise UserDataRefused("A #cloud-config holds keys and values.")
    if unknown := sorted(map(str, set(config) - KNOWN)):
        raise UserDataRefused(f"#cloud-config keys not understood here: {', '.join(unknown)}.")
    return UserData(
        host_keys=_host_keys(config.get("ssh_keys") or {}),
        authorized_keys=_strings("ssh_authorized_keys", config.get("ssh_authorized_keys") or []),
    )


def _host_keys(found: object) -> tuple[HostKey, ...]:
    if not isinstance(found, dict):
        raise UserDataRefused("ssh_keys holds names such as ed25519_private and their keys.")
    names = {f"{kind}_{half}" for kind in KINDS for half in ("private", "public")}
    if unknown := sorted(map(str, set(found) - names)):
        raise UserDataRefused(f"ssh_keys not understood here: {', '.join(unknown)}.")
    keys = []
    for kind in KINDS:
        halves = [found.get(f"{kind}_{half}") for half in ("private", "public")]
        if halves == [None, None]:
            continue
        if not all(isinstance(half, str) and half for half in halves):
            raise UserDataRefused(f"ssh_keys needs both {kind}_private and {kind}_public.")
        private, public = cast("list[str]", halves)
        keys.append(HostKey(kind, private.strip() + "\n", public.strip() + "\n"))
    return tuple(keys)


def _strings(name: str, found: object) -> tuple[str, ...]:
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise UserDataRefused(f"{name} is a list of keys.")
    return tuple(one.strip() for one in found)
