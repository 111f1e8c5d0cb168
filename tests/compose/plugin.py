"""`docker compose` and `docker buildx` from Debian's packages, unpacked beside, not installed.

Debian 12 has only compose 1; the package of the release after it depends on libc alone, so it is
taken from the mirror this machine's own apt uses.
"""

import subprocess
from pathlib import Path

from localcloud import root

PACKAGES = {"docker-compose": "docker-compose", "docker-buildx": "docker-buildx"}
UBUNTU = {"docker-compose": "docker-compose-v2", "docker-buildx": "docker-buildx"}
NEWER = {"bookworm": "trixie"}
PLACES = ("usr/libexec/docker/cli-plugins", "usr/lib/docker/cli-plugins")
SECONDS = 300


class NoPlugin(Exception):
    """The plugins cannot be had here; the text says why."""


def ensure(cache):
    """Folder for DOCKER_CONFIG that holds both plugins. Raises NoPlugin."""
    config = cache / "docker-config"
    plugins = config / "cli-plugins"
    if all((plugins / name).exists() for name in PACKAGES):
        return config
    plugins.mkdir(parents=True, exist_ok=True)
    work = cache / "docker-packages"
    work.mkdir(exist_ok=True)
    names = UBUNTU if "ubuntu" in Path("/etc/os-release").read_text() else PACKAGES
    options = _newer(work)
    _run(work, "apt-get", *options, "update", "-q") if options else None
    _run(work, "apt-get", *options, "download", "-q", *names.values())
    for package in sorted(work.glob("*.deb")):
        _run(work, "dpkg-deb", "-x", package, work / "x")
    for name in PACKAGES:
        found = [path for place in PLACES if (path := work / "x" / place / name).exists()]
        if not found:
            raise NoPlugin(f"the package {names[name]} holds no {name} plugin")
        (plugins / name).write_bytes(found[0].read_bytes())
        (plugins / name).chmod(0o755)
    return config


def _newer(work):
    """Options that let apt read the next release, without touching the machine's own lists."""
    recipe = root.recipe()
    if recipe.codename not in NEWER:
        return ()
    stanzas = [
        dict(line.split(": ", 1) for line in stanza.splitlines())
        for stanza in recipe.sources.strip().split("\n\n")
    ]
    fields = next(one for one in stanzas if recipe.codename in one["Suites"].split())
    signed = fields.get("Signed-By", "/usr/share/keyrings/debian-archive-keyring.gpg")
    line = f"deb [signed-by={signed}] {fields['URIs'].split()[0]} {NEWER[recipe.codename]} main\n"
    (work / "sources.list").write_text(line)
    (work / "lists" / "partial").mkdir(parents=True, exist_ok=True)
    settings = (
        f"Dir::Etc::SourceList={work / 'sources.list'}",
        "Dir::Etc::SourceParts=/dev/null",
        f"Dir::State::Lists={work / 'lists'}",
        "Dir::Cache::pkgcache=",
        "Dir::Cache::srcpkgcache=",
        "APT::Sandbox::User=root",
    )
    return tuple(word for one in settings for word in ("-o", one))


def _run(folder, *argv):
    try:
        subprocess.run(
            [str(word) for word in argv],
            cwd=folder,
            check=True,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
    except (OSError, subprocess.SubprocessError) as failed:
        said = (getattr(failed, "stderr", "") or str(failed)).strip().splitlines()
        raise NoPlugin(f"{argv[0]} could not fetch docker compose: {said[-1]}") from failed
