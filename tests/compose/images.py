"""What images are made from: a base made by mmdebstrap, and wheels to install without a network."""

import hashlib
import platform
import shutil
import subprocess
import sys
import tarfile
import tomllib

from localcloud import root
from tests.house.tree import ROOT

BASE = "kite-test-base"
INCLUDE = ("ca-certificates", "openssh-client", "python3", "python3-venv")
PYTHON = "usr/bin/python3."
MONGO = "secantusdb==0.7.0b3"
SECONDS = 900


def base(cache):
    """Tar of a root file system with Python and an SSH client; made once per recipe."""
    recipe = root.recipe(INCLUDE)
    key = hashlib.sha256(f"{recipe.codename} {INCLUDE}".encode()).hexdigest()[:12]
    tar = cache / "images" / f"base-{recipe.codename}-{key}.tar"
    if tar.exists():
        return tar
    tar.parent.mkdir(parents=True, exist_ok=True)
    sources = tar.with_suffix(".sources")
    sources.write_text(recipe.sources)
    new = tar.with_suffix(".new.tar")
    _run(
        *("mmdebstrap", "--mode=root", "--variant=minbase", "--dpkgopt=force-unsafe-io"),
        *(f"--include={','.join(INCLUDE)}", recipe.codename, new, sources),
    )
    new.rename(tar)
    return tar


def load(engine, tar):
    engine.docker("import", "-c", "ENV PYTHONDONTWRITEBYTECODE=1", tar, BASE)


def python_of(tar):
    """Version of Python in the base, like 3.11."""
    with tarfile.open(tar) as archive:
        names = (one.name.removeprefix("./") for one in archive)
        found = {n.removeprefix("usr/bin/python") for n in names if n.startswith(PYTHON)}
    return min(found, key=len)


def wheels(cache, version):
    """Folders with the wheels of Kite and of the MongoDB-protocol server for that Python."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    pins = ROOT / "deploy" / "constraints.txt"
    needs = [*project["project"]["dependencies"], *project["build-system"]["requires"]]
    key = hashlib.sha256(f"{needs}{pins.read_text()}".encode()).hexdigest()[:12]
    kite = cache / "wheels" / f"kite-{version}-{key}"
    mongo = cache / "wheels" / f"{MONGO}-{version}"
    _download(kite, version, ["-c", pins, *needs])
    _download(mongo, version, [MONGO])
    return kite, mongo


def _download(folder, version, wanted):
    if folder.exists():
        return
    new = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    machine = platform.machine()
    _run(
        *(sys.executable, "-m", "pip", "download", "-q", "--only-binary=:all:", "-d", new),
        *("--python-version", version, "--implementation", "cp"),
        *(f"--platform=manylinux{tag}_{machine}" for tag in ("_2_34", "_2_28", "_2_17", "2014")),
        *(f"--platform=linux_{machine}", *wanted),
    )
    new.rename(folder)


def lay(kite, mongo):
    """Put the wheels where the Dockerfiles look; answers the folders to remove."""
    places = {
        ROOT / "deploy" / "wheelhouse": kite,
        ROOT / "deploy" / "wheelhouse-mongo": mongo,
    }
    for place, folder in places.items():
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(folder, place)
    return tuple(places)


def _run(*argv):
    done = subprocess.run(
        [str(word) for word in argv],
        text=True,
        capture_output=True,
        check=False,
        timeout=SECONDS,
    )
    if done.returncode:
        raise RuntimeError(f"{argv[0]} ended badly:\n{done.stderr[-3000:]}")


def remove(places):
    for place in places:
        shutil.rmtree(place, ignore_errors=True)
