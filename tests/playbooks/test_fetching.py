"""kite_tree: a folder appears whole and right, or not at all."""

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import kite_tree
import pytest
from ansible.module_utils.kite_host import Refused

from tests.playbooks.test_modules import archive

GOOD = archive(("bin/server", b"#!server"), ("configs/a", b"1")).getvalue()
SHA = hashlib.sha256(GOOD).hexdigest()


class Mirror(ThreadingHTTPServer):
    """Answers as told: a list of (status, body, length to claim)."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answer)
        self.answers, self.asked = [], 0
        self.url = f"http://127.0.0.1:{self.server_port}/tree.tar"


class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked += 1
        status, body, length = self.server.answers.pop(0)
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def mirror():
    server = Mirror()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def pauses(monkeypatch):
    taken = []
    monkeypatch.setattr(kite_tree.time, "sleep", taken.append)
    return taken


def place(mirror, folder, **change):
    asked = {
        "url": mirror.url,
        "sha256": SHA,
        "dest": str(folder / "tree"),
        "kind": "tree",
        "strip": 0,
        "free_mib": 0,
        "timeout": 5,
        "tries": 3,
    }
    kite_tree.place({**asked, **change})


def test_a_right_archive_is_put_in_place(mirror, tmp_path):
    mirror.answers = [(200, GOOD, None)]

    place(mirror, tmp_path)

    assert (tmp_path / "tree/bin/server").read_bytes() == b"#!server"
    assert (tmp_path / "tree/.sha256").read_text() == SHA
    assert [path.name for path in tmp_path.iterdir()] == ["tree"]


BROKEN = [
    ("CHECKSUM_MISMATCH", [(200, archive(("bin/server", b"evil")).getvalue(), None)]),
    ("CHECKSUM_MISMATCH", [(200, b"<html>not found</html>", None)]),
    ("CHECKSUM_MISMATCH", [(200, archive(("../x", b"1")).getvalue(), None)]),
    ("PACKAGE_UNAVAILABLE", [(200, GOOD[:600], len(GOOD))]),
    ("PACKAGE_UNAVAILABLE", [(404, b"", None)]),
    ("PACKAGE_UNAVAILABLE", [(503, b"", None)] * 3),
]


@pytest.mark.parametrize(("reason", "answers"), BROKEN)
def test_a_wrong_one_leaves_nothing(mirror, tmp_path, reason, answers):
    mirror.answers = list(answers)

    with pytest.raises(Refused) as refusal:
        place(mirror, tmp_path)

    assert refusal.value.reason == reason
    assert list(tmp_path.iterdir()) == []


def test_a_wheel_with_the_wrong_checksum_is_never_decoded(mirror, tmp_path, monkeypatch):
    mirror.answers = [(200, b"anything", None)]
    monkeypatch.setattr(kite_tree, "unpack_milvus_wheel", lambda *_: pytest.fail("decoded"))

    with pytest.raises(Refused) as refusal:
        place(mirror, tmp_path, kind="wheel")

    assert refusal.value.reason == "CHECKSUM_MISMATCH"


def test_a_busy_mirror_is_asked_again_with_growing_pauses(mirror, tmp_path, pauses):
    mirror.answers = [(503, b"", None), (429, b"", None), (200, GOOD, None)]

    place(mirror, tmp_path)

    assert len(pauses) == 2
    assert pauses == sorted(pauses)
    assert pauses[0] < pauses[1]


def test_a_missing_file_is_not_asked_for_again(mirror, tmp_path):
    mirror.answers = [(404, b"", None)]

    with pytest.raises(Refused):
        place(mirror, tmp_path)

    assert mirror.asked == 1


def test_nobody_there_is_a_reason_too(mirror, tmp_path):
    with pytest.raises(Refused) as refusal:
        place(mirror, tmp_path, url="http://127.0.0.1:9/x")

    assert refusal.value.reason == "PACKAGE_UNAVAILABLE"


def test_files_of_the_host_are_no_mirror(mirror, tmp_path):
    with pytest.raises(Refused) as refusal:
        place(mirror, tmp_path, url="file:///etc/passwd")

    assert refusal.value.reason == "PACKAGE_UNAVAILABLE"


def test_a_full_disk_is_told_before_anything_is_fetched(mirror, tmp_path):
    with pytest.raises(Refused) as refusal:
        place(mirror, tmp_path, free_mib=1 << 40)

    assert refusal.value.reason == "DISK_FULL"
    assert mirror.asked == 0


def test_what_a_killed_run_left_is_swept(mirror, tmp_path):
    (tmp_path / ".part-old").mkdir()
    mirror.answers = [(200, GOOD, None)]

    place(mirror, tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["tree"]
