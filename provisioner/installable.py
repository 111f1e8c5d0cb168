"""What settings must still say before the role would install anything. Pure.

The role refuses the same (`playbooks/roles/milvus/vars/main.yml`), but only once an address and a
machine have been paid for.
"""

import re
from collections.abc import Mapping
from typing import assert_never

from provisioner.install.job import InstallSettings, Method

PINNED = r"^[a-z0-9][A-Za-z0-9._:/-]*@sha256:[0-9a-f]{64}$"
URL = r"^https?://[A-Za-z0-9._~:/@%+-]+$"
SHA256 = r"^[0-9a-f]{64}$"
_VERSION = re.compile(r"([0-9]+)\.([0-9]+)\.([0-9]+)")
_NEED = "no machine can be installed before"


def lacking(
    settings: InstallSettings, variables: Mapping[str, str | int | bool]
) -> tuple[str, ...]:
    """A sentence for each setting that keeps every install from working; () when none does."""
    match settings.method:
        case Method.CONTAINER:
            return _container(variables)
        case Method.WHEEL:
            return _wheel(settings)
        case _ as never:
            assert_never(never)


def _container(variables: Mapping[str, str | int | bool]) -> tuple[str, ...]:
    images = {"MILVUS_IMAGE": "milvus_image", "ETCD_IMAGE": "milvus_etcd_image"}
    found = [
        f"KITE_PROVISIONER_{name}: {_NEED} it names an image pinned as NAME@sha256:DIGEST"
        for name, variable in images.items()
        if not re.fullmatch(PINNED, str(variables.get(variable, "")))
    ]
    version = variables.get("milvus_version")
    if version is not None and not _safe(str(version)):
        found.append(
            f"KITE_PROVISIONER_MILVUS_VERSION: {_NEED} it is 2.6.10 or newer, or 2.5.27 or newer "
            "in the 2.5 line, or empty"
        )
    return tuple(found)


def _safe(version: str) -> bool:
    """Whether port 9091 of this server is closed to strangers (CVE-2025-64513, CVE-2026-26190)."""
    parts = _VERSION.fullmatch(version)
    found = tuple(map(int, parts.groups())) if parts else ()
    return found >= (2, 6, 10) or (2, 5, 27) <= found < (2, 6)


def _wheel(settings: InstallSettings) -> tuple[str, ...]:
    found = []
    if not settings.allow_insecure_wheel:
        found.append(
            f"KITE_PROVISIONER_ALLOW_INSECURE_WHEEL: {_NEED} it is true, which only a local cloud "
            "should say; elsewhere use KITE_PROVISIONER_INSTALL_METHOD=container"
        )
    if not re.fullmatch(URL, settings.artifact_url):
        found.append(f"KITE_PROVISIONER_ARTIFACT_URL: {_NEED} it is the http(s) URL of the wheel")
    if not re.fullmatch(SHA256, settings.artifact_sha256):
        found.append(f"KITE_PROVISIONER_ARTIFACT_SHA256: {_NEED} it has 64 hexadecimal digits")
    return tuple(found)
