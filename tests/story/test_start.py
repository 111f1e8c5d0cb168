"""Services of a demo come up in any order; a module of its own, so that no kept demo is up."""

import os
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from localcloud.demo import stage
from localcloud.demo.stage import Stage

pytestmark = [
    pytest.mark.story,
    pytest.mark.localcloud,
    pytest.mark.timeout(600),
    pytest.mark.skipif(os.geteuid() != 0, reason="the local cloud needs root"),
]
LATE_SECONDS = 3  # the edge has given up dialling for a while by then


class EdgeFirst(Stage):
    def _start_services(self, cloud: dict[str, Any]) -> None:
        whole = stage.MODULES
        for part in ({"bff": whole["bff"]}, {n: m for n, m in whole.items() if n != "bff"}):
            stage.MODULES = part
            try:
                super()._start_services(cloud)
                self._until_ready(*part)
            finally:
                stage.MODULES = whole
            time.sleep(LATE_SECONDS if "bff" in part else 0)


def test_an_edge_that_came_first_is_waited_for() -> None:
    demo = EdgeFirst(Path(".run"), print)
    demo.check()
    try:
        built = demo.build()
        listed = httpx.get(built.scene.url + "/v1/clusters", headers={"username": "milvus-test"})
        assert listed.status_code == 200, listed.text
    finally:
        left = demo.strike()
    assert left == []
