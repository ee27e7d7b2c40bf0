"""Live updates of a job's page: the log, cancelling, and two tabs, without a reload."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import SLOTS
from tests.browser.gated import GatedJob
from tests.support.stack import Stack
from tests.support.waiting import wait_for

Gated = Callable[..., GatedJob]


def _line(page: Page, text: str) -> Locator:
    return page.locator("[data-log-rows] .ln > span").get_by_text(text, exact=True)


def _open(page: Page, job: GatedJob) -> None:
    """Open the page of a job and mark it, to detect a reload."""
    page.goto(job.path)
    page.evaluate("window.stayed = true")
    expect(page.locator("[data-live=live]").first).to_be_visible()
    page.locator("#log").scroll_into_view_if_needed()


def _status(page: Page) -> Locator:
    return page.locator(".st.pill")


def test_the_log_is_updated_live(page: Page, gated: Gated) -> None:
    job = gated(name="watched").running()
    _open(page, job)
    expect(_status(page)).to_have_text("Running")
    for number in range(1, 4):
        expect(_line(page, f"line {number}")).to_have_count(0)
        job.say(f"line {number}")
        expect(_line(page, f"line {number}")).to_be_in_viewport()
    expect(page.locator("[data-log-state]")).to_have_text("live, following")
    expect(page.locator("#job-why")).to_contain_text("so far")
    job.end()
    expect(_status(page)).to_have_text("Succeeded")
    expect(page.locator("[data-log-state]")).to_have_text("complete")
    expect(page.get_by_role("button", name="Run again", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Cancel job")).to_have_count(0)
    expect(page).to_have_title("✓ Succeeded: watched · Mimir")
    assert page.evaluate("window.stayed") is True


def test_a_reader_who_scrolled_up_stays_there_and_sees_a_count(page: Page, gated: Gated) -> None:
    job = gated().running()
    job.say(*(f"old {number}" for number in range(1, 201)))
    _open(page, job)
    follow = page.get_by_role("button", name="Follow", exact=True)
    expect(follow).to_have_attribute("aria-pressed", "true")
    expect(_line(page, "old 200")).to_be_in_viewport()
    page.get_by_role("region", name="Log lines").hover()
    page.mouse.wheel(0, -2000)
    expect(follow).to_have_attribute("aria-pressed", "false")
    expect(page.locator("[data-log-state]")).to_have_text("live")
    where = wait_for(
        lambda: page.evaluate("document.querySelector('[data-log-lines]').scrollTop"),
        "the wheel has moved it",
    )
    job.say(*(f"new {number}" for number in range(1, 31)))
    pill = page.get_by_role("button", name="30 new lines")
    expect(pill).to_be_visible()
    assert page.evaluate("document.querySelector('[data-log-lines]').scrollTop") == where
    pill.click()
    expect(_line(page, "new 30")).to_be_in_viewport()
    expect(follow).to_have_attribute("aria-pressed", "true")


def test_a_running_job_is_cancelled_only_after_the_question(
    page: Page, stack: Stack, gated: Gated
) -> None:
    job = gated(name="the long one").running()
    _open(page, job)
    page.get_by_role("button", name="Cancel job").click()
    dialog = page.get_by_role("dialog", name="Cancel the long one?")
    expect(dialog.get_by_role("button", name="Keep running")).to_be_focused()
    expect(dialog).to_contain_text("No results are written to the project")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(page.get_by_role("button", name="Cancel job")).to_be_focused()
    assert stack.status(job.id) == "running"
    page.get_by_role("button", name="Cancel job").click()
    dialog.get_by_role("button", name="Cancel job").click()
    expect(_status(page)).to_have_text("Cancelled")
    expect(page.locator("#job-why")).to_contain_text("Nothing was written")
    expect(page.get_by_role("button", name="Run again", exact=True)).to_be_visible()
    ended = stack.end_of(job.id)
    assert (ended["status"], ended["started_at"] is not None) == ("cancelled", True)


@pytest.fixture
def full(gated: Gated) -> list[GatedJob]:
    """Fill every slot."""
    return [job.running() for job in [gated(name=f"filler {number}") for number in range(SLOTS)]]


def test_a_waiting_job_says_why_and_starts_on_the_open_page(
    page: Page, gated: Gated, full: list[GatedJob]
) -> None:
    job = gated(name="patient")
    _open(page, job)
    expect(_status(page)).to_have_text("Waiting")
    why = page.locator("#job-why")
    expect(why).to_contain_text("1st")
    expect(why).to_contain_text("in the queue")
    expect(why.locator("li.blk")).to_have_count(1)
    expect(why.locator("li.blk")).to_contain_text("Enough free capacity")
    expect(why.get_by_role("heading", level=2)).to_contain_text(str(SLOTS))
    full[0].end()
    expect(_status(page)).to_have_text("Running")
    job.say("at last")
    expect(_line(page, "at last")).to_be_visible()
    assert page.evaluate("window.stayed") is True


def test_a_waiting_job_is_cancelled_without_a_question(
    page: Page, stack: Stack, gated: Gated, full: list[GatedJob]
) -> None:
    job = gated(name="never mind")
    _open(page, job)
    page.get_by_role("button", name="Cancel job").click()
    expect(_status(page)).to_have_text("Cancelled")
    expect(page.locator("#job-why")).to_contain_text("Cancelled by admin before it started")
    assert stack.job(job.id)["started_at"] is None


def test_two_tabs_show_the_same_job_and_what_one_does_the_other_shows(
    page: Page, gated: Gated
) -> None:
    job = gated(name="shared").running()
    other = page.context.new_page()
    for tab in (page, other):
        _open(tab, job)
    job.say("for both")
    for tab in (page, other):
        expect(_line(tab, "for both")).to_have_count(1)
    other.get_by_role("button", name="Cancel job").click()
    other.get_by_role("dialog").get_by_role("button", name="Cancel job").click()
    expect(_status(page)).to_have_text("Cancelled")
    expect(page.get_by_role("button", name="Cancel job")).to_have_count(0)
    assert page.evaluate("window.stayed") is True
