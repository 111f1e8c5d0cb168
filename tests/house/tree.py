"""What is in the repository: the files git knows (or would), read once."""

import ast
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("bff", "provisioner", "registry_svc", "whitelist_svc")
PRODUCT = (*SERVICES, "kite", "localcloud", "playbooks", "deploy", "protos")
GENERATED = ("kite/v1/", "provisioner/milvus/wire/")


@cache
def files():
    """Relative paths of all files in the repository."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    return tuple(sorted({name for name in listed.split("\0") if name and (ROOT / name).is_file()}))


def written(*suffixes):
    """Hand-written files with one of these endings."""
    return tuple(
        name for name in files() if name.endswith(suffixes) and not name.startswith(GENERATED)
    )


@cache
def text(name):
    """The file's text; empty for what is not text."""
    try:
        return (ROOT / name).read_text()
    except UnicodeDecodeError:
        return ""


@cache
def syntax(name):
    return ast.parse(text(name), filename=name)


def module(name):
    """Dotted name of a Python file."""
    return name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def purpose(name):
    """First sentence of the file's own description; empty when it has none."""
    if name.endswith(".py"):
        doc = ast.get_docstring(syntax(name)) or ""
    else:
        head = [line.lstrip("#/ !") for line in text(name).splitlines()[:6]]
        comments = [
            line
            for raw, line in zip(text(name).splitlines(), head, strict=False)
            if raw.lstrip().startswith(("#", "//")) and not raw.startswith("#!")
        ]
        doc = " ".join(line for line in comments if line not in {"---", ""})
    first = " ".join(doc.split("\n\n")[0].split())
    return first.split(". ")[0].rstrip(".")
