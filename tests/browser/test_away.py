"""Unreachable orchestrator: every page reports it and recovers, and nothing is lost."""

import os
import signal
from collections.abc import Callable
from functools import partial

from playwright.sync_api import Page, expect

from tests.browser.gated import GatedJob
from tests.browser.watch import Watch
from tests.support.stack import Stack
from tests.support.waiting import wait_for

_TROUBLE = ("WebSocket connection", "status of 50[234]", "ERR_")
_COUNT = """() => {
  window.stayed = true;
  window.hidden = 0;
  const banner = document.getElementById("lost");
  new MutationObserver(() => { if (banner.hidden) window.hidden += 1; }).observe(banner, { attributes: true, attributeFilter: ["hidden"] });
}"""  # noqa: E501


def _texts(page: Page) -> list[str]:
    return page.locator("[data-log-rows] .ln > span").all_inner_texts()


def test_a_page_says_that_live_updates_are_lost_and_has_everything_when_they_are_back(
    page: Page, stack: Stack, gated: Callable[..., GatedJob], watch: Watch
) -> None:
    watch.expects(*_TROUBLE)
    job = gated(name="not disturbed").running()
    job.say("before")
    page.goto(job.path)
    expect(page.locator("[data-log-rows] .ln > span").get_by_text("before")).to_be_visible()
    expect(page.locator("[data-live=live]").first).to_be_visible()
    page.evaluate(_COUNT)
    banner = page.get_by_role("alert").filter(has_text="Live updates lost")
    other = page.context.new_page()
    other.goto("/projects/demo/jobs/")
    jobs = other.get_by_role("heading", name="Jobs", exact=True)

    stopped = stack.kill("web", signal.SIGSTOP)
    try:
        job.say("while it was away")
        other.evaluate("setTimeout(() => location.reload())")
        expect(banner).to_be_visible()
        expect(page.locator("[data-log-state]")).to_have_text("waiting for the connection")
        expect(page.locator("[data-live=off]").first).to_contain_text("Reconnecting")
        expect(
            other.get_by_role("heading", name="The orchestrator does not answer")
        ).to_be_visible()
        expect(other.get_by_text("Running jobs continue")).to_be_visible()
        # changes nothing while there is no response
        page.get_by_role("button", name="Try now").click()
        expect(page.locator("[data-live=off]").first).to_be_visible()
        assert page.evaluate("window.hidden") == 0
    finally:
        os.kill(stopped, signal.SIGCONT)

    expect(banner).to_be_hidden()
    job.say("after")
    expect(page.locator("[data-log-rows] .ln > span").get_by_text("after")).to_be_visible()
    assert _texts(page) == ["before", "while it was away", "after"]
    expect(page.locator(".st.pill")).to_have_text("Running")
    assert page.evaluate("window.stayed") is True
    expect(jobs).to_be_visible()  # retried automatically
    job.end()
    expect(page.locator(".st.pill")).to_have_text("Succeeded")
    assert len(stack.attempts(job.id)) == 1


def _restarted(stack: Stack, killed: int) -> bool:
    return stack.pids("web")[:1] not in ([], [killed])


def test_a_killed_orchestrator_loses_nothing_on_an_open_page(
    page: Page, stack: Stack, gated: Callable[..., GatedJob], watch: Watch
) -> None:
    watch.expects(*_TROUBLE)
    job = gated(name="killed under it").running()
    page.goto(job.path)
    page.evaluate("window.stayed = true")
    for number in range(3):
        job.say(f"line {number}")
        if number == 1:
            killed = stack.kill("web")
            wait_for(
                partial(_restarted, stack, killed),
                "the supervisor started it again",
            )
    job.end()
    expect(page.locator(".st.pill")).to_have_text("Succeeded")
    expect(page.locator("[data-log-state]")).to_have_text("complete")
    expect(page.locator("#lost")).to_be_hidden()
    wait_for(lambda: _texts(page) == ["line 0", "line 1", "line 2"], "all lines are shown")
    assert page.evaluate("window.stayed") is True
    assert [event["seq"] for event in stack.events(job.id)] == list(
        range(1, len(stack.events(job.id)) + 1)
    )
