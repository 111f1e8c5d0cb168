"""A host that fails at any step of its start leaves nothing but disks it already had."""

from __future__ import annotations

import socket
import subprocess
import time
from contextlib import ExitStack
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path

import pytest

from localcloud import cleaning, leftovers, machine, network, root
from localcloud.ground import Ground
from localcloud.host import STEPS, Host, Storage
from localcloud.leftovers import Leftovers
from localcloud.seed import Identity
from localcloud.tool import ToolFailed, run
from localcloud.workshop import open_workshop
from tests.localcloud.world import until

GROUND = Ground("kr", 186)
ID = "i-0123456789abcdef0"


@pytest.fixture
def shop(tmp_path):
    lower = root.ensure(root.recipe(), root.cache(), lambda _: None)
    with ExitStack() as stack:
        cleaning.sweep(GROUND)
        stack.callback(cleaning.sweep, GROUND)
        network.raise_switch(GROUND)
        stack.callback(network.drop_switch, GROUND)
        yield open_workshop(stack, GROUND, tmp_path, lower)
    left = leftovers.find(GROUND)
    assert not left, left.lines()


def host(shop, at=lambda _: None):
    who = Identity(ID, IPv4Address("10.186.0.4"), GROUND.gateway, ("ssh-ed25519 AAAA test",))
    return Host(who, Storage("vol-1", 4), (Storage("vol-2", 1),), shop, at)


def fail_at(step):
    def at(now):
        if now == step:
            raise ToolFailed(["test"], 1, f"fails at {step}")

    return at


def found():
    """What there is but for the ground's own switch and empty group."""
    seen = leftovers.find(GROUND)
    own = {GROUND.switch}
    return Leftovers(
        namespaces=tuple(one for one in seen.namespaces if one not in own),
        mounts=tuple(
            one
            for one in seen.mounts
            if not one.endswith((GROUND.cgroup_folder, GROUND.hosts_folder))
        ),
        loops=seen.loops,
        processes=seen.processes,
        tables=seen.tables,
    )


@pytest.mark.parametrize("step", STEPS)
def test_a_first_start_that_fails_leaves_nothing(shop, step):
    with pytest.raises(ToolFailed, match=step):
        host(shop, fail_at(step)).start()

    assert not found(), found().lines()
    assert not list(shop.hosts.iterdir())
    assert not shop.volumes.known()
    assert not list(shop.cgroup.glob("*/"))


def test_a_kernel_that_refuses_a_namespace_leaves_nothing(shop):
    run("ip", "netns", "add", GROUND.host_namespace(ID))
    with pytest.raises(ToolFailed, match="File exists"):
        host(shop).start()

    assert not found(), found().lines()


def test_every_step_is_told_once_and_in_order(shop):
    told = []
    made = host(shop, told.append)
    made.start()
    made.remove()

    assert tuple(told) == STEPS


@pytest.mark.parametrize("step", STEPS)
def test_a_later_start_that_fails_keeps_the_disks(shop, step):
    steps = []

    def at(now):
        if steps:
            fail_at(step)(now)

    made = host(shop, at)
    made.start()
    made.stop()
    steps.append("second start")
    with pytest.raises(ToolFailed, match=step):
        made.start()

    assert shop.volumes.known() == {"vol-1", "vol-2"}
    assert not found().namespaces
    assert not found().mounts
    assert not found().processes
    steps.clear()
    made.start()
    assert made.alive
    made.remove()
    assert not found(), found().lines()


def neighbour(address):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.sendto(b"", (str(address), 9))
    return run("ip", "neigh", "show", "to", address, "nud", "reachable", "nud", "stale")


def test_nobody_remembers_who_had_an_address_before(shop):
    address = GROUND.public[9]
    network.plug(GROUND, "kr-c-one", [IPv4Interface(f"{address}/24")])
    until(lambda: "lladdr" in neighbour(address), "the first answer")
    network.configure("kr-c-one", [f"addr del {address}/24 dev eth0"])

    network.plug(GROUND, "kr-c-two", [IPv4Interface(f"{address}/24")])

    assert "lladdr" not in run("ip", "neigh", "show", "to", address)


def test_a_program_started_meanwhile_does_not_keep_a_disk_busy(shop):
    made = host(shop)
    made.start()
    network.plug(GROUND, "kr-c-one", [IPv4Interface(f"{GROUND.public[9]}/24")])
    with subprocess.Popen(["ip", "netns", "exec", "kr-c-one", "sleep", "600"]) as program:
        until(lambda: "sleep" in Path(f"/proc/{program.pid}/comm").read_text(), "the program")
        try:
            made.remove()
            assert not found().loops
        finally:
            program.kill()


def test_a_process_that_arrives_between_kill_and_removal_is_ended_too(shop, monkeypatch):
    group, late, remove = shop.cgroup / "late", [], machine._remove
    group.mkdir()

    def arrive_then_remove(cgroup):
        if not late:
            enter = f"echo $$ > {group}/cgroup.procs; exec sleep 600"
            late.append(subprocess.Popen(["sh", "-c", enter]))
            until(lambda: machine.members(group), "the late process")
        remove(cgroup)

    monkeypatch.setattr(machine, "_remove", arrive_then_remove)
    try:
        machine.end(group)
    finally:
        late[0].kill()
        late[0].wait()

    assert not group.exists()


def test_power_may_be_cut_at_any_moment_of_a_boot(shop):
    for pause in (0, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1):
        made = host(shop)
        made.start()
        time.sleep(pause)
        made.remove()
        assert not found(), found().lines()


def test_removing_twice_is_fine(shop):
    made = host(shop)
    made.start()
    made.remove()
    made.remove()

    assert not found(), found().lines()
    assert shop.volumes.known() == {"vol-1", "vol-2"}
