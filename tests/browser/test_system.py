"""System page.

It updates without a reload, moves nothing under the pointer, and reports an unreachable server.
"""

import os
import signal
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit
from tests.browser.gated import GatedJob
from tests.browser.watch import Watch
from tests.support.stack import Stack


def _open(page: Page) -> None:
    page.goto("/system/")
    page.evaluate("window.stayed = true")


def _stayed(page: Page) -> bool:
    return bool(page.evaluate("window.stayed"))


def test_a_worker_appears_and_disappears_without_a_reload(
    page: Page, gated: Callable[..., GatedJob]
) -> None:
    _open(page)
    expect(page.get_by_role("heading", name="Components")).to_be_visible()
    expect(page.get_by_role("listitem").filter(has_text="Dispatcher")).to_have_count(1)
    expect(page.get_by_role("rowheader")).to_have_text(["critical", "high", "normal", "low"])
    job = gated(name="seen by administrators").running()
    row = page.get_by_role("row").filter(has_text="seen by administrators")
    expect(row).to_be_visible()
    expect(row.get_by_role("link")).to_have_attribute("href", job.path)
    job.end()
    expect(row).to_have_count(0)
    assert _stayed(page)
    expect(page.locator("[data-live]").first).to_contain_text("Live")


def test_no_row_moves_under_the_pointer(page: Page, gated: Callable[..., GatedJob]) -> None:
    first, second = gated(name="under the pointer").running(), gated(name="below it").running()
    _open(page)
    row = page.get_by_role("row").filter(has_text="under the pointer")
    row.hover()
    first.end()
    second.end()
    expect(row).to_have_class("gone")
    expect(page.get_by_role("row").filter(has_text="below it")).to_have_class("gone")
    page.get_by_role("heading", name="System", exact=True).hover()
    expect(row).to_have_count(0)
    assert _stayed(page)


def test_it_reports_a_missing_server_and_continues_when_it_answers(
    page: Page, stack: Stack, watch: Watch
) -> None:
    watch.expects("status of 50[234]", "ERR_", "Failed to fetch")
    _open(page)
    banner = page.get_by_role("alert").filter(has_text="The server does not answer. Retrying.")
    stopped = stack.kill("web", signal.SIGSTOP)
    try:
        expect(banner).to_be_visible()
        expect(page.locator("[data-live]").first).to_contain_text("Reconnecting")
        expect(page.get_by_role("heading", name="Components")).to_be_visible()
    finally:
        os.kill(stopped, signal.SIGCONT)
    expect(banner).to_be_hidden()
    assert _stayed(page)


def test_it_is_complete_without_script(member: Visit) -> None:
    page = member(java_script_enabled=False)
    page.goto("/system/")
    cards = (
        "Queue",
        "Failures of the last 24 hours, by cause",
        "Running workers",
        "Components",
        "Capacity",
        "Limits and pauses",
    )
    for name in (*cards, "Storage", "Versions"):
        expect(page.get_by_role("heading", name=name)).to_be_visible()
