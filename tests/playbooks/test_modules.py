"""The parts of the modules that decide, as tables."""

import io
import lzma
import select
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import kite_node
import pytest
from ansible.module_utils import kite_host
from ansible.module_utils.kite_block import Disk, choose, link_of_volume, tells_no_volumes
from ansible.module_utils.kite_host import Refused, telling
from ansible.module_utils.kite_unpack import (
    BadArchive,
    pack_tar,
    unpack_milvus_wheel,
    unpack_tar,
)
from kite_seal import difference
from kite_service import dead

GIB = 1 << 30
LOCKING = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
import kite_host
kite_host.LOCK = Path(sys.argv[1])
with kite_host.one_at_a_time():
    print("changing", flush=True)
    sys.stdin.read()
"""
ROOT = Disk("nvme0n1", 8 * GIB, "has partitions")


def locking(lock):
    """A run that changes the host until its input ends."""
    return subprocess.Popen(
        [sys.executable, "-c", LOCKING, lock, Path(kite_host.__file__).parent],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_two_runs_never_change_one_host_at_the_same_time(tmp_path):
    lock = tmp_path / "lock"
    with locking(lock) as first:
        assert first.stdout.readline() == "changing\n"
        with locking(lock) as second:
            assert select.select([second.stdout], [], [], 2)[0] == []
            first.kill()  # the lock dies with its process
            assert second.stdout.readline() == "changing\n"


@pytest.mark.parametrize(
    ("disks", "size", "chosen"),
    [
        ([ROOT, Disk("nvme1n1", 50 * GIB, "")], 50, "/dev/nvme1n1"),
        ([ROOT, Disk("xvdf", 50 * GIB, "")], 0, "/dev/xvdf"),
        ([Disk("nvme1n1", 50 * GIB, ""), Disk("nvme2n1", 75 * GIB, "")], 75, "/dev/nvme2n1"),
    ],
)
def test_the_only_unused_disk_is_the_data_disk(disks, size, chosen):
    assert choose(disks, size) == chosen


@pytest.mark.parametrize(
    ("disks", "size"),
    [
        ([], 0),
        ([ROOT], 0),
        ([ROOT, Disk("nvme1n1", 50 * GIB, "mounted at /srv")], 50),
        ([Disk("nvme1n1", 50 * GIB, ""), Disk("nvme2n1", 50 * GIB, "")], 50),
        ([Disk("nvme1n1", 50 * GIB, ""), Disk("nvme2n1", 75 * GIB, "")], 0),
        ([Disk("nvme1n1", 49 * GIB, "")], 50),
        ([Disk("loop3", 50 * GIB, ""), Disk("ram0", 50 * GIB, ""), Disk("dm-0", 50 * GIB, "")], 50),
    ],
)
def test_nothing_is_guessed(disks, size):
    with pytest.raises(Refused) as refusal:
        choose(disks, size)

    assert refusal.value.reason == "DISK_NOT_FOUND"


def test_a_volume_is_known_by_its_serial():
    assert link_of_volume("vol-0ab1").endswith("Amazon_Elastic_Block_Store_vol0ab1")


@pytest.mark.parametrize(("names", "none"), [
    (["xvda", "xvdf"], True), (["nvme0n1", "nvme1n1"], False), (["nvme0n1"], False), ([], False),
])  # fmt: skip
def test_only_disks_of_old_instances_tell_no_volume(names, none):
    assert tells_no_volumes(names) is none


OLD = {"digest": "d", "files": {"/a": "1"}, "mounts": {"/m": 5}}


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        (OLD, OLD, ""),
        ({}, OLD, "never"),
        ({**OLD, "digest": "e"}, OLD, "something else"),
        (OLD, {**OLD, "files": {"/a": "2"}}, "/a"),
        (OLD, {**OLD, "files": {"/a": ""}}, "/a"),
        ({**OLD, "files": {"/a": ""}}, {**OLD, "files": {"/a": ""}}, "/a"),
        (OLD, {**OLD, "files": {"/b": "1"}}, "/b"),
        (OLD, {**OLD, "mounts": {"/m": 6}}, "/m"),
        (OLD, {**OLD, "mounts": {"/m": 0}}, "/m"),
    ],
)
def test_a_host_is_settled_only_when_nothing_differs(old, new, word):
    assert word in difference(old, new)
    assert bool(difference(old, new)) == bool(word)


@pytest.mark.parametrize(
    ("state", "over"),
    [
        ({"ActiveState": "active", "NRestarts": "0"}, False),
        ({"ActiveState": "activating", "NRestarts": "1"}, False),
        ({"ActiveState": "activating", "NRestarts": "2"}, True),
        ({"ActiveState": "failed", "NRestarts": "0"}, True),
        ({"ActiveState": "failed"}, True),
        ({"ActiveState": "active", "NRestarts": ""}, False),
    ],
)
def test_waiting_ends_when_the_unit_is_dead(state, over):
    assert dead(state) is over


DUMP = """panic: disk is gone

goroutine 1 [running]:
main.main()
\t/go/src/main.go:7 +0x1d
github.com/milvus-io/milvus/pkg/log.(*textIOCore).Write(0xc000194e40, {0x0, 0x1}, ...)
created by net/http.(*Server).Serve
rax    0x0
rip    0x4ada220
milvus.service: Main process exited, code=killed, status=6/ABRT
[2026/11/23 14:50:15.154 +00:00] [ERROR] [rootcoord/root_coord.go:717] ["retry func failed"]"""


def test_the_cause_is_not_buried_under_frames():
    assert [line.split()[0] for line in telling(DUMP.splitlines())] == [
        "panic:",
        "milvus.service:",
        "[2026/11/23",
    ]


def archive(*members):
    """A tar stream of (name, content or a change to the member)."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name, content in members:
            member = tarfile.TarInfo(name)
            if isinstance(content, bytes):
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
            else:
                member.type, member.linkname = content
                tar.addfile(member)
    stream.seek(0)
    return stream


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("../escape", b"x"),
        ("/etc/passwd", b"x"),
        ("a/../../b", b"x"),
        ("a//b", b"x"),
        ("a\nb", b"x"),
        (".hidden", b"x"),
        ("link", (tarfile.SYMTYPE, "/etc/passwd")),
        ("hard", (tarfile.LNKTYPE, "/etc/passwd")),
        ("device", (tarfile.CHRTYPE, "")),
        ("pipe", (tarfile.FIFOTYPE, "")),
    ],
)
def test_an_archive_cannot_reach_out_of_its_folder(tmp_path, name, content):
    folder = tmp_path / "in"
    folder.mkdir()

    with pytest.raises(BadArchive):
        unpack_tar(archive(("good", b"1"), (name, content)), folder)

    assert {path.name for path in tmp_path.rglob("*")} == {"in", "good"}


def test_leading_folders_are_dropped_when_asked(tmp_path):
    unpack_tar(archive(("top/bin/a", b"1"), ("top/b", b"2"), ("c", b"3")), tmp_path, strip=1)

    files = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert files == {"bin/a", "b"}


@pytest.fixture
def wheel(tmp_path):
    """A wheel of the form of Milvus's, with two small binaries."""
    path = tmp_path / "milvus.whl"
    with zipfile.ZipFile(path, "w") as zipped:
        zipped.writestr("milvus/data/glog.conf", "--x\n")
        zipped.writestr("milvus/data/bin/milvus.lzma", lzma.compress(b"server" * 1000))
        zipped.writestr("milvus/data/bin/libz.so.1.lzma", lzma.compress(b"library"))
        zipped.writestr("milvus/data/bin/../../evil.lzma", lzma.compress(b"evil"))
    return path


def test_the_tree_made_of_a_wheel_is_the_same_as_the_wheel_unpacked(tmp_path, wheel):
    direct, again, tar = tmp_path / "direct", tmp_path / "again", tmp_path / "tree.tar"
    direct.mkdir()
    again.mkdir()
    unpack_milvus_wheel(wheel, direct, workers=2)
    pack_tar(direct, tar)
    with tar.open("rb") as stream:
        unpack_tar(stream, again)

    def listing(folder):
        files = (path for path in folder.rglob("*") if path.is_file())
        return {(str(p.relative_to(folder)), p.read_bytes(), p.stat().st_mode) for p in files}

    assert listing(direct) == listing(again)
    assert {name for name, *_ in listing(again)} == {
        "bin/milvus",
        "bin/libz.so.1",
        "configs/glog.conf",
    }


def test_a_tree_is_the_same_byte_for_byte_every_time(tmp_path, wheel):
    made = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        unpack_milvus_wheel(wheel, tmp_path / name, workers=1)
        pack_tar(tmp_path / name, tmp_path / f"{name}.tar")
        made.append((tmp_path / f"{name}.tar").read_bytes())

    assert made[0] == made[1]


def test_a_wheel_of_something_else_is_refused(tmp_path):
    path = tmp_path / "other.whl"
    with zipfile.ZipFile(path, "w") as zipped:
        zipped.writestr("milvus/data/glog.conf", "--x\n")

    with pytest.raises(BadArchive):
        unpack_milvus_wheel(path, tmp_path, workers=1)


@pytest.mark.parametrize(
    ("settings", "container", "written"),
    [({"vm.swappiness": 1}, False, True), ({"vm.swappiness": 1}, True, False), ({}, False, False)],
)
def test_the_kernel_of_another_is_left_alone(monkeypatch, tmp_path, settings, container, written):
    asked = []
    monkeypatch.setattr(kite_node, "SYSCTL", tmp_path / "60-kite.conf")
    monkeypatch.setattr(kite_node, "CONTAINER", tmp_path / "container")
    monkeypatch.setattr(kite_node, "run", lambda *argv: asked.append(argv[0]))
    if container:
        kite_node.CONTAINER.touch()

    assert kite_node.ensure_sysctl(settings, pretend=False) is written
    assert kite_node.SYSCTL.exists() is written
    assert asked == (["sysctl"] if written else [])
