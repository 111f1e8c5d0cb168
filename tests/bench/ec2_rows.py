"""P10-P14 and P18: what Kite asks of EC2, counted at the strict endpoint, beside its peers."""

import json
import os
import statistics
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

from localcloud import vpc
from localcloud.ground import Ground
from localcloud.strict.faults import Fault, Kind
from localcloud.strict.inproc import client, running
from tests.bench.rows import Row, not_measured
from tests.worlds.services import ROOT, serving

PEERS = Path(__file__).parent / "peers"
PYTHON = ROOT / ".bench" / "bin" / "python"
ADDRESS = {"AllocateAddress", "AssociateAddress", "ReleaseAddress", "DisassociateAddress"}
DELAY_SECONDS = 0.1
ROUNDS = 7
LAUNCH_REFILL_SECONDS = 0.5  # Kite launches no faster than EC2 allows: 5 at once, then 2 a second
PATIENCE = 60
# The bars were set for a master and a worker, where these peers need 34 and 10 calls.
ONE_MACHINE = "a cluster is one machine yet: fewer calls for them, as many for us"


class Cloud:
    """The strict endpoint with its call log, and the network that launches need."""

    def __init__(self, api):
        self.api = api
        self.base = vpc.ensure(client(api.internal_endpoint), Ground(), "us-east-1")

    @contextmanager
    def counted(self):
        """Actions called inside the block, filled in at its end."""
        found = Counter()
        since = self.api.calls.last
        yield found
        found.update(seen.action for seen in self.api.calls.all(since=since))

    @contextmanager
    def delayed(self):
        number = self.api.faults.add(Fault(Kind.DELAY, times=0, seconds=DELAY_SECONDS))
        yield
        self.api.faults.remove(number)


def writes(calls, *, addresses=False):
    """Calls that change something; the address has a line of its own."""
    return sum(
        n
        for action, n in calls.items()
        if not action.startswith("Describe") and (action in ADDRESS) == addresses
    )


class Portal:
    """The HTTP API of the services under measurement."""

    def __init__(self, services):
        self.url = services.url

    def ask(self, method, path, body=None):
        request = urllib.request.Request(
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"username": "bench", "content-type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as failed:
            return failed.code, json.loads(failed.read() or b"{}")

    def create(self, name):
        """Seconds from the request until the machine's id is known."""
        since = time.perf_counter()
        status, made = self.ask(
            "POST", "/v1/milvus", {"milvus-name": name, "milvus-type": "M5", "disk-size": 50}
        )
        assert status < 300, made
        self.until(lambda: self.instances(name), "a launched machine")
        return time.perf_counter() - since

    def instances(self, name):
        status, seen = self.ask("GET", f"/v1/clusters/{name}")
        return status == 200 and [one for one in seen["instances"] if one["instance-id"]]

    def whitelist(self, name, *cidrs):
        entries = [{"port-type": "milvus-port", "source-ip": cidr} for cidr in cidrs]
        status, answer = self.ask(
            "PUT", "/v1/whitelist", {"milvus-name": name, "ip-ranges": entries}
        )
        assert status < 300, answer

    def delete(self, name):
        status, answer = self.ask("DELETE", f"/v1/milvus?milvus-name={name}")
        assert status < 300, answer
        self.until(lambda: self.ask("GET", f"/v1/clusters/{name}")[0] == 404, "the end")

    def until(self, ask, what):
        last = time.monotonic() + PATIENCE
        while not ask():
            assert time.monotonic() < last, f"{what} did not come within {PATIENCE} s"
            time.sleep(0.005)


def measure():
    with (
        tempfile.TemporaryDirectory() as folder,
        running(hold_pending=True) as api,
    ):
        cloud = Cloud(api)
        count = Path(folder) / "count"
        path = f"{Path(__file__).parent / 'counted'}:{ROOT}"
        more = {
            "KITE_PROVISIONER_IMAGE_ID": cloud.base.image_id,
            "KITE_PROVISIONER_SUBNETS": cloud.base.subnet_id,
            "KITE_WHITELIST_CONTROL_CIDRS": "192.0.2.1/32",
            "KITE_WHITELIST_MEND_SECONDS": "3600",
            "KITE_REGISTRY_CLUSTERS_PER_USER": "100",
            "KITE_BFF_RATE_PER_MINUTE": "1000000",
            "KITE_BFF_BURST": "100000",
            "KITE_TEST_COUNT": str(count),
            "PYTHONPATH": path,
        }
        with serving(Path(folder), api.endpoint, **more) as services:
            found = [*_ours(cloud, Portal(services)), *_clients(count, services)]
        return found + _peers(cloud, next(row.figure for row in found if row.id == "P12-calls"))


def _ours(cloud, portal):
    with cloud.counted() as first:
        portal.create("bench-first")
    with cloud.counted() as launch:
        portal.create("bench-second")
        portal.whitelist("bench-second", "203.0.113.7/32", "198.51.100.0/24")
    with cloud.counted() as replace:
        portal.whitelist("bench-second", "203.0.113.8/32", "198.51.100.0/24", "192.0.2.0/28")
    with cloud.counted() as equal:
        portal.whitelist("bench-second", "203.0.113.8/32", "198.51.100.0/24", "192.0.2.0/28")
    deep, quick = _depth(cloud, portal)
    with cloud.counted() as delete_filled:
        portal.delete("bench-second")
    with cloud.counted() as delete:
        portal.delete("plain-0")
    # Looking at machines is shared by all clusters and goes on while one waits: it counts once.
    total = sum(n for action, n in launch.items() if action != "DescribeInstances") + 1
    reads = total - writes(launch) - writes(launch, addresses=True)
    what = "EC2 writes to create a cluster with group, rules and machine"
    return [
        Row("P10", what, writes(launch), 4, 3),
        Row("P10-first", "the same for the first of an install, base group included; no rules",
            writes(first), 4, 3),
        Row("P10-address", "the same: elastic address (one more binds it once the machine runs)",
            writes(launch, addresses=True), 2, None),
        Row("P11", f"create, round trips of 100 ms from request to launched (0 ms: {quick:.2f} s)",
            deep, 3, 2.5),
        Row("P12-calls", f"EC2 calls of that create, address and {reads} reads included",
            total, None, None),
        Row("P13", "EC2 writes to replace a whitelist", writes(replace), 2, None),
        Row("P13-equal", "EC2 writes to set an equal whitelist", writes(equal), 0, None),
        Row("P14", f"EC2 writes to delete: {_named(delete_filled)} (one more than the bar: the "
            "design has the whitelist closed before all)", writes(delete_filled), 2, None),
        Row("P14-empty", f"the same with an empty whitelist: {_named(delete)}",
            writes(delete), 2, None),
        Row("P14-address", "the same: elastic address (no bar in the reference)",
            writes(delete, addresses=True), None, None),
    ]  # fmt: skip


def _named(calls):
    changes = {action: n for action, n in calls.items() if not action.startswith("Describe")}
    return ", ".join(f"{n} {action}" for action, n in sorted(changes.items()))


def _depth(cloud, portal):
    """Round trips one behind the other: what 100 ms per call add, in units of 100 ms."""
    plain, slow = [], []
    for number in range(ROUNDS):
        time.sleep(2 * LAUNCH_REFILL_SECONDS)
        plain.append(portal.create(f"plain-{number}"))
        with cloud.delayed():
            slow.append(portal.create(f"slow-{number}"))
    quick = statistics.median(plain)
    return (statistics.median(slow) - quick) / DELAY_SECONDS, quick


def _clients(count, services):
    """P18: per process, from the file that the counted processes wrote."""
    names = {str(pid): name for name, pid in services.pids().items()}
    lines = Counter(tuple(line.split()) for line in count.read_text().splitlines())
    found = []
    for pid, name in names.items():
        sessions, clients = lines[pid, "session"], lines[pid, "client"]
        if sessions:
            found.append(Row(f"P18-{name}-sessions", f"boto3 sessions, {name}", sessions, 1, None))
            found.append(Row(f"P18-{name}-clients", f"EC2 clients, {name}", clients, 1, None))
    return found


def _peers(cloud, ours):
    if not PYTHON.exists():
        return [not_measured("P12", "create calls / amazon.aws", "no .bench", 0.15, 0.12)]
    api, base = cloud.api, cloud.base
    seen = {}
    for name, argv in {
        "naive boto3": (PYTHON, PEERS / "naive.py"),
        "libcloud": (PYTHON, PEERS / "libcloud_peer.py"),
    }.items():
        seen[name] = _run(cloud, *argv, api.endpoint, base.subnet_id, base.image_id)
    seen["amazon.aws"] = _run(
        cloud,
        *(ROOT / ".bench" / "bin" / "ansible-playbook", PEERS / "amazon_aws.yml"),
        *("-e", f"endpoint={api.endpoint} vpc={base.vpc_id} image={base.image_id}"),
        *("-e", f"subnet={base.subnet_id}"),
    )
    bars = {"amazon.aws": (0.15, 0.12), "libcloud": (0.5, 0.4), "naive boto3": (None, None)}
    return [
        Row(f"P12-{name.split()[0]}",
            f"create calls / {name} ({ours} / {seen[name]}; {ONE_MACHINE})",
            ours / seen[name], must, stretch)
        for name, (must, stretch) in bars.items()
    ]  # fmt: skip


def _run(cloud, *argv):
    """How many calls a peer makes for the job."""
    env = {**os.environ, "ANSIBLE_LOCALHOST_WARNING": "false", "ANSIBLE_DEPRECATION_WARNINGS": "0"}
    with cloud.counted() as calls:
        done = subprocess.run(
            [str(word) for word in argv], env=env, capture_output=True, text=True, check=False,
            timeout=300, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{argv[1]} failed:\n{(done.stdout + done.stderr)[-2000:]}")
    return sum(calls.values())
