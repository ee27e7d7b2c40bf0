"""The page of a short job does not jump while the job starts, runs and ends."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from mimir.frontend.template_tags import STATUS_LABELS
from tests.browser.conftest import Visit
from tests.support.stack import Stack

SHIFT_MAX = 0.1
SHIFT_OF_A_FAILURE_MAX = 0.03  # measured: 0.007 and 0.001; 0.08 and 0.29 with a card that grows
_OBSERVE = """
window.shifts = [];
new PerformanceObserver((list) => {
  const told = (s) => `${s.node?.id || s.node?.className || s.node?.nodeName} ${s.previousRect.y} to ${s.currentRect.y}`;
  for (const one of list.getEntries()) if (!one.hadRecentInput) window.shifts.push([one.value, ...one.sources.map(told)]);
}).observe({ type: 'layout-shift', buffered: true });
"""  # noqa: E501
_SHORT = [
    {"id": "numbers", "uses": "sql", "with": {"query": "SELECT * FROM range(1000)"}},
    {
        "id": "talk",
        "uses": "command",
        "with": {
            "argv": [
                "/bin/sh",
                "-c",
                "for i in 1 2 3; do echo $i; sleep 0.4; done; echo x > outputs/a.txt",
            ]
        },
    },
    {"id": "save", "uses": "write", "with": {"dataset": "settled", "from": "numbers"}},
]
_FAILS = [
    {
        "id": "talk",
        "uses": "command",
        "with": {"argv": ["/bin/sh", "-c", "echo begin; sleep 0.6; echo broken >&2; exit 3"]},
    }
]


def _shifts(page: Page, stack: Stack, steps: list[dict[str, Any]], word: str) -> list[list[Any]]:
    page.add_init_script(_OBSERVE)
    job = stack.submit(steps, project=stack.project("settling"))
    page.goto(f"/jobs/{job}/")
    expect(page.locator(".st.pill")).to_have_text(word)
    expect(page.locator("[data-log-state]")).to_have_text("complete")
    page.wait_for_timeout(700)
    return list(page.evaluate("window.shifts"))


@pytest.mark.parametrize("width", [1440, 390])
def test_the_page_of_a_short_job_does_not_jump(member: Visit, stack: Stack, width: int) -> None:
    shifts = _shifts(member(viewport={"width": width, "height": 900}), stack, _SHORT, "Succeeded")
    assert sum(one[0] for one in shifts) < SHIFT_MAX, "\n".join(map(str, shifts))


_HEIGHTS = """
(words) => {
  const title = document.querySelector('.titleline h1'), line = title.parentElement;
  const word = line.querySelector('.st.pill').lastChild;
  const lengths = Array.from({ length: 60 }, (_, index) => index + 1);
  return lengths.map((length) => {
    title.textContent = 'i'.repeat(length);
    return words.map((each) => { word.textContent = each; return line.offsetHeight; });
  });
}
"""


def test_a_change_of_status_does_not_wrap_a_title_of_any_length(
    member: Visit, stack: Stack
) -> None:
    page = member(viewport={"width": 390, "height": 900})
    page.goto(f"/jobs/{stack.submit('true', project=stack.project('settling'))}/")
    heights = page.evaluate(_HEIGHTS, list(STATUS_LABELS.values()))
    assert all(len(set(each)) == 1 for each in heights), heights
    assert len({each[0] for each in heights}) > 1, "no title is long enough to wrap"


@pytest.mark.parametrize("width", [1440, 390])
def test_a_failure_that_is_watched_does_not_move_the_page_and_opens_on_demand(
    member: Visit, stack: Stack, width: int
) -> None:
    page = member(viewport={"width": width, "height": 900})
    shifts = _shifts(page, stack, _FAILS, "Failed")
    assert sum(one[0] for one in shifts) < SHIFT_OF_A_FAILURE_MAX, "\n".join(map(str, shifts))
    card = page.locator("#job-why")
    expect(card.get_by_role("heading", level=2)).to_contain_text("exit code 3")
    expect(page.get_by_role("heading", name="What to do")).to_be_hidden()
    log_at = page.locator("#log").bounding_box()
    card.get_by_role("button", name="What to do").click()
    expect(page.get_by_role("heading", name="What to do")).to_be_visible()
    expect(card).to_contain_text("broken")
    card.get_by_role("button", name="What to do").click()
    assert page.locator("#log").bounding_box() == log_at
    page.reload()
    expect(page.get_by_role("heading", name="What to do")).to_be_visible()
    expect(card.get_by_role("button", name="What to do")).to_be_hidden()


def test_a_running_job_without_output_shows_its_activity(page: Page, stack: Stack) -> None:
    steps = [{"id": "quiet", "uses": "command", "with": {"argv": ["/bin/sh", "-c", "sleep 20"]}}]
    job = stack.submit(steps, project=stack.project("settling"))
    page.goto(f"/jobs/{job}/")
    expect(page.locator("[data-log-empty]")).to_have_text("Step 1 of 1: quiet. No output yet.")
    expect(
        page.locator("#job-memory svg")
    ).to_be_visible()  # F24: the figures are updated although no event announces them
    # a figure that is not current is marked
    expect(page.locator("#job-memory figcaption")).to_contain_text(re.compile(r"CPU \d+ m?s ago"))
    expect(page.locator("#job-attempts")).not_to_contain_text("log ")
    page.get_by_role("button", name="Cancel job").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel job").click()
    expect(page.locator(".st.pill")).to_have_text("Cancelled")


def test_run_again_of_a_succeeded_job_is_a_secondary_action_and_asks(
    page: Page, stack: Stack
) -> None:
    job = stack.submit(
        [{"id": "one", "uses": "sql", "with": {"query": "SELECT 1"}}],
        project=stack.project("settling"),
    )
    assert stack.end_of(job)["status"] == "succeeded"
    page.goto(f"/jobs/{job}/")
    again = page.get_by_role("button", name="Run again", exact=True)
    expect(again).not_to_have_class("btn pri")
    again.click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("writes new result versions")
    dialog.get_by_role("button", name="Cancel").click()
    assert page.url.endswith(f"/jobs/{job}/")
    again.click()
    dialog.get_by_role("button", name="Run again").click()
    page.wait_for_url(lambda url: "/jobs/" in url and job not in url)
