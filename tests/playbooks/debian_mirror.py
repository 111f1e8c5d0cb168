"""A small package mirror for hosts without internet: Debian's own files in a flat repository."""

import hashlib
import subprocess
from pathlib import Path

PACKAGES = ("prometheus-node-exporter", "python3-apt", "python-apt-common", "distro-info-data")


def fetch(folder: Path) -> str:
    """Lay out the repository in `folder`; '' or why this machine cannot fetch the packages.

    The machine and its pretend hosts are the same release, so its own index names the files.
    """
    folder.mkdir()
    folder.chmod(0o755)  # apt drops its privileges while it downloads
    done = subprocess.run(
        ["apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", *PACKAGES],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    if done.returncode:
        return f"apt-get download: {done.stderr.strip()[-300:]}"
    entries = [_entry(file) for file in sorted(folder.glob("*.deb"))]
    (folder / "Packages").write_text("\n".join(entries))
    return ""


def _entry(file: Path) -> str:
    control = subprocess.run(["dpkg-deb", "-f", file], capture_output=True, text=True, check=True)
    body = file.read_bytes()
    return (
        f"{control.stdout.rstrip()}\nFilename: ./{file.name}\nSize: {len(body)}\n"
        f"SHA256: {hashlib.sha256(body).hexdigest()}\n"
    )
