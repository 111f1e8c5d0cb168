"""P19-P23: our roles against the usual form and pyinfra, on pretend hosts, round by round."""

import asyncio
import os
import resource
import statistics
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from provisioner.install.runner import Installer
from tests.bench.hosts import raised
from tests.bench.rows import Row, not_measured
from tests.worlds.services import ROOT

PEERS = Path(__file__).parent / "peers"
BIN = ROOT / ".bench" / "bin"
ROUNDS = 3
AT_ONCE = 2
START = "Milvus' own start of some 3 s is in both"
NAMES = {
    "P19": "install wall / plain Ansible, 20 tasks",
    "P20": "install wall / pyinfra",
    "P21": "run on an installed host / first run",
    "P22": "controller CPU per host, 4 hosts in one run / 1 host",
    "P23": f"PSS MB per install, {AT_ONCE} at once",
}


JOBS = "the service runs one per machine"


@dataclass(frozen=True)
class Cost:
    """Seconds of the wall, and of the CPU in controller processes."""

    wall: float
    cpu: float


def measure():
    lacks = _lacks()
    if lacks:
        return [not_measured(id_, what, lacks) for id_, what in NAMES.items()]
    with tempfile.TemporaryDirectory() as folder, raised(Path(folder)) as hosts:
        walls, again, one = _rounds(hosts)
        four, _ = _four(hosts)
        pss = _memory(hosts)
    ours, plain, pyinfra = (statistics.median(walls[n]) for n in ("ours", "plain", "pyinfra"))
    second, cpu = statistics.median(again), statistics.median(one)
    return [
        _row("P19", ours / plain, 0.30, 0.15, f"{ours:.1f} / {plain:.1f} s; {START}"),
        _row("P20", ours / pyinfra, 0.8, 0.5, f"{ours:.1f} / {pyinfra:.1f} s; {START}"),
        _row("P21", second / ours, 0.5, 0.3, f"{second:.1f} / {ours:.1f} s"),
        _row("P22", four / cpu, 0.6, 0.5, f"{four:.2f} / {cpu:.2f} s; as people run it: {JOBS}"),
        _row("P23", pss, 120, 100, "Ansible's processes, without our service"),
    ]


def _row(id_, figure, must, stretch, detail):
    return Row(id_, f"{NAMES[id_]} ({detail})", figure, must, stretch)


def _lacks():
    if os.geteuid() != 0:
        return "not root"
    return "" if (BIN / "pyinfra").exists() else "no .bench"


def _rounds(hosts):
    """Each way once per round on a fresh host; ours a second time on the same one."""
    walls, again, cpu = {"ours": [], "plain": [], "pyinfra": []}, [], []
    for number in range(ROUNDS):
        with hosts.some() as found:
            first = _ours(hosts, found)
            walls["ours"].append(first.wall)
            cpu.append(first.cpu)
            again.append(_ours(hosts, found).wall)
            if number == 0:
                hosts.copy_files(found[0])
        for name, way in (("plain", _plain), ("pyinfra", _pyinfra)):
            with hosts.some() as found:
                walls[name].append(way(hosts, found[0]).wall)
    return walls, again, cpu


def _four(hosts):
    with hosts.some(4) as found:
        cost = _ours(hosts, found)
    return cost.cpu / 4, cost.wall


def _costs(act):
    wall, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    act()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(time.perf_counter() - wall, cpu)


def _ours(hosts, found):
    """The production installer: ansible-runner in a process of its own."""
    return _costs(lambda: asyncio.run(_install(hosts, [hosts.job(found)])))


async def _install(hosts, jobs):
    installer = Installer(hosts.settings)
    try:
        for job in jobs:
            installer.start(job)
        for job in jobs:
            for result in await installer.wait(job.key):
                if not result.ok:
                    raise RuntimeError(f"{result.reason}: {result.description}")
    finally:
        await installer.close()


def _peer(argv, env):
    done = subprocess.run(
        [str(word) for word in argv], env={**os.environ, **env}, capture_output=True, text=True,
        check=False, stdin=subprocess.DEVNULL, timeout=600,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{argv[0]} failed:\n{(done.stdout + done.stderr)[-3000:]}")


def _plain(hosts, host):
    ready = hosts.world.ready
    variables = {
        "tree": _tree(ready),
        "url": ready["tree_url"],
        "sha256": ready["tree_sha256"],
        "files": hosts.folder,
    }
    given = " ".join(f"{name}={value}" for name, value in variables.items())
    argv = (
        *(BIN / "ansible-playbook", "-i", f"{host.address},", "-u", "ubuntu"),
        *("--private-key", hosts.world.key, "-e", given, PEERS / "plain.yml"),
    )
    sockets = tempfile.mkdtemp(dir="/dev/shm")
    env = {"ANSIBLE_HOST_KEY_CHECKING": "false", "ANSIBLE_SSH_CONTROL_PATH_DIR": sockets}
    return _costs(lambda: _peer(argv, env))


def _pyinfra(hosts, host):
    ready = hosts.world.ready
    env = {
        "BENCH_TREE": _tree(ready),
        "BENCH_FILES": str(hosts.folder),
        "BENCH_URL": ready["tree_url"],
        "BENCH_SHA256": ready["tree_sha256"],
        "HOME": str(hosts.folder),
    }
    argv = (
        *(BIN / "pyinfra", host.address, PEERS / "deploy.py", "-y", "--ssh-user", "ubuntu"),
        *("--ssh-key", hosts.world.key),
        *("--data", "ssh_strict_host_key_checking=off"),
    )
    return _costs(lambda: _peer(argv, env))


def _tree(ready):
    """Where our role puts the server, so that the same unit fits."""
    return f"/opt/kite/milvus-{ready['tree_sha256'][:12]}"


def _memory(hosts):
    """Highest sum of the proportional shares of all processes below this one, per install."""
    highest, stop = 0, threading.Event()

    def watch():
        nonlocal highest
        while not stop.wait(0.1):
            highest = max(highest, sum(map(_pss, _below(os.getpid()))))

    thread = threading.Thread(target=watch)
    with hosts.some(AT_ONCE) as found:
        jobs = [hosts.job([host], f"bench-{number}") for number, host in enumerate(found)]
        hidden = sum(map(_pss, _below(os.getpid())))
        thread.start()
        try:
            asyncio.run(_install(hosts, jobs))
        finally:
            stop.set()
            thread.join()
    return (highest - hidden) / AT_ONCE / 1024


def _below(pid):
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    children = [int(word) for word in text.split()]
    return [*children, *(one for child in children for one in _below(child))]


def _pss(pid):
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
