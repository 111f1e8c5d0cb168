"""P15 and P16: what it costs to see ten thousand machines, over the fast EC2 of localcloud/fake."""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager

from kite.clock import SystemClock
from localcloud.strict.inproc import client
from provisioner.ec2 import client as ec2_client
from provisioner.ec2.client import Ec2
from provisioner.ec2.describer import Describer
from provisioner.sweep.cloud import SweepCloud
from tests.bench.rows import Row
from tests.worlds.services import ROOT

NODES, TRANSITION, ROUNDS = 10_000, 500, 3
BY_TAG = [{"Name": "tag:kite:install", "Values": ["test"]}]


@contextmanager
def crowded():
    """The endpoint of a process of its own, so that its work is not counted as ours."""
    command = [sys.executable, "-m", "localcloud.fake", "--nodes", str(NODES)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


def measure():
    os.environ.setdefault("AWS_ACCESS_KEY_ID", "kite")
    os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "kite")
    with crowded() as endpoint:
        return asyncio.run(_rows(endpoint))


async def _rows(endpoint):
    ec2 = Ec2(lambda: ec2_client.build("us-east-1", endpoint), SystemClock())
    plain = client(endpoint)
    await asyncio.to_thread(_pages, plain)  # warm: clients are built, answers are rendered
    await SweepCloud(ec2, "test").look()
    ours, bare, walls, seen = [], [], [], None
    for _ in range(ROUNDS):
        bare.append(_cpu(await _timed(asyncio.to_thread(_pages, plain))))
        _forget(endpoint)
        spent = await _timed(SweepCloud(ec2, "test").look())
        ours.append(_cpu(spent))
        walls.append(spent[1])
        seen = spent[2]
        full = _calls(endpoint)
    ids = [thing.id for thing in seen.things][:TRANSITION]
    _forget(endpoint)
    describer = Describer(ec2)
    await asyncio.gather(*(describer.instances([one]) for one in ids))
    tick = _calls(endpoint)
    ec2.close()
    return _told(len(seen.things), full, tick, statistics.median(walls), (ours, bare))


def _told(nodes, full, tick, wall, spent):
    ours, bare = (statistics.median(one) / (NODES / 1000) * 1000 for one in spent)
    pages = NODES // 1000
    what = f"DescribeInstances calls of a full look at {nodes} machines ({wall:.1f} s)"
    cpu = f"CPU to look at 1000 machines / plain botocore ({ours:.0f} / {bare:.0f} ms)"
    return [
        Row("P15", what, full["DescribeInstances"], pages, None),
        Row("P15-tick", f"EC2 calls of a tick with {TRANSITION} clusters in transition",
            sum(tick.values()), 1, None),
        Row("P16", cpu, ours / bare, 1.1, 0.3),
    ]  # fmt: skip


async def _timed(work):
    """(CPU seconds, wall seconds, result)."""
    cpu, wall = time.process_time(), time.perf_counter()
    result = await work
    return time.process_time() - cpu, time.perf_counter() - wall, result


def _cpu(spent):
    return spent[0]


def _pages(plain):
    """What anybody would do: every page, parsed by botocore, nothing made of it."""
    token = {}
    while True:
        page = plain.describe_instances(Filters=BY_TAG, MaxResults=1000, **token)
        if "NextToken" not in page:
            return
        token = {"NextToken": page["NextToken"]}


def _calls(endpoint):
    with urllib.request.urlopen(f"{endpoint}/_kite/calls", timeout=30) as answer:
        return json.loads(answer.read())["by-action"]


def _forget(endpoint):
    request = urllib.request.Request(f"{endpoint}/_kite/calls", method="DELETE")
    urllib.request.urlopen(request, timeout=30).close()
