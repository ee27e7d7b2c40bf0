"""An open page with a channel layer that loses 30 % of its messages and duplicates 10 %."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.watch import Watch
from tests.live.lossy import SENT
from tests.support.browser import context_of, sign_in
from tests.support.stack import Stack, running

PAGES, SECONDS = 4, 6.0
# When this page shows it, whichever page the test reads.
_NOTE_THE_END = """() => {
  const look = () => {
    if (document.querySelector(".st.pill").textContent.trim() === "Succeeded") window.shownAt = Date.now();
    else setTimeout(look, 50);
  };
  window.shownAt = 0;
  look();
}"""  # noqa: E501


@pytest.fixture(scope="module")
def lossy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Start an installation with the lossy channel layer."""
    yield from running(
        tmp_path_factory.mktemp("lossy"),
        CHANNEL_LAYER="tests.live.lossy.LossyLayer",
        CAPACITY_JOBS=str(PAGES),
    )


@pytest.mark.quiet
def test_open_pages_show_the_end_within_six_seconds(
    lossy: Stack, chromium: Browser, watch: Watch, tmp_path: Path
) -> None:
    context = context_of(chromium, lossy)
    watch.follow(context)
    sign_in(context.new_page(), lossy.described["username"], lossy.described["password"])
    go = tmp_path / "go"
    shown = []
    for number in range(PAGES):
        job = lossy.submit(f"while [ ! -e {go} ]; do sleep 0.05; done; sleep 0.{number}; echo done")
        lossy.wait_status(job, "running")
        page = context.new_page()
        page.goto(f"/jobs/{job}/")
        expect(page.locator(".st.pill")).to_have_text("Running")
        page.evaluate(_NOTE_THE_END)
        shown.append((job, page))
    go.touch()
    delays = []
    for job, page in shown:
        expect(page.locator(".st.pill")).to_have_text("Succeeded")
        ended = dt.datetime.fromisoformat(lossy.end_of(job)["finished_at"]).timestamp()
        delays.append(page.evaluate("window.shownAt") / 1000 - ended)
        expect(page.locator("[data-log-rows]")).to_contain_text("done")
    context.close()
    assert max(delays) <= SECONDS, delays
    assert {"0", "1", "2"} <= set((lossy.var / SENT).read_text()), (
        "messages were lost, sent, and doubled"
    )
