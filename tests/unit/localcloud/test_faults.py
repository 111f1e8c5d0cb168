from __future__ import annotations

from localcloud.faults import Fault, Faults, Waiting


def test_a_fault_hits_as_many_launches_as_ordered(tmp_path):
    faults = Faults(tmp_path)
    faults.add(Waiting(Fault.BOOT_NEVER, 2))

    assert [faults.take({}) for _ in range(3)] == [Fault.BOOT_NEVER, Fault.BOOT_NEVER, None]


def test_a_fault_for_a_tag_waits_for_its_instance(tmp_path):
    faults = Faults(tmp_path)
    faults.add(Waiting(Fault.DISK_FULL, 1, "node-type", "worker"))

    assert faults.take({"node-type": "master"}) is None
    assert faults.take({"node-type": "worker"}) is Fault.DISK_FULL
    assert faults.listed() == []


def test_the_first_that_fits_comes_first(tmp_path):
    faults = Faults(tmp_path)
    faults.add(Waiting(Fault.SSH_REFUSES))
    faults.add(Waiting(Fault.DISK_FULL))

    assert [faults.take({}), faults.take({})] == [Fault.SSH_REFUSES, Fault.DISK_FULL]


def test_nothing_waits_in_a_fresh_folder_or_after_clear(tmp_path):
    faults = Faults(tmp_path)
    assert faults.take({}) is None

    faults.add(Waiting(Fault.DISK_FULL))
    faults.clear()
    assert faults.take({}) is None
