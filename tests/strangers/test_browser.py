"""/docs in a real browser: it renders, its forms work under its own policy, nothing is fetched."""

from __future__ import annotations

import pytest

from bff.app import serve
from bff.routes.table import ROUTES
from bff.settings import Settings
from tests.strangers.browser import PROGRAM, browsing
from tests.worlds.joined import SECRET

NOBODY = "127.0.0.1:9"
TRY = """
(async () => {
  const form = [...document.querySelectorAll("form")].find(
    (one) => one.dataset.verb === "GET" && one.elements.target.value.endsWith("/v1/source-ip"));
  document.getElementById("user").value = "alice";
  form.requestSubmit();
  const shown = form.querySelector("pre");
  while (!shown.textContent.trim()) await new Promise((done) => setTimeout(done, 20));
  return shown.textContent;
})()
"""

pytestmark = [
    pytest.mark.skipif(PROGRAM is None, reason="no chromium (make setup installs it as root)"),
    pytest.mark.timeout(120),
]


async def test_the_page_renders_and_its_forms_ask_the_edge(tmp_path):
    running = await serve(
        Settings(secret=SECRET, bff_listen="127.0.0.1:0", registry=NOBODY, whitelist=NOBODY)
    )
    here = f"http://127.0.0.1:{running.port}"
    async with browsing(tmp_path) as page:
        await page.open(f"{here}/docs")
        text = await page.run("document.body.innerText")
        answer = await page.run(TRY)
        styled = await page.run("getComputedStyle(document.body).fontFamily")
    await running.stop()
    assert [route.path for route in ROUTES if route.path not in text] == []
    assert answer.startswith("200\n")
    assert '"source-ip": "127.0.0.1/32"' in answer
    assert "sans" in styled or "system" in styled, styled
    assert {url for url in page.asked if not url.startswith((here, "data:"))} == set()
    assert [one for one in page.complaints if "favicon" not in one] == []
