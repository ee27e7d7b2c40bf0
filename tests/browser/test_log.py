"""A long log: every line can be displayed, and the page holds few rows of it."""

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.support.stack import Stack
from tests.support.waiting import wait_for

LINES, WANTED, ROWS_MAX = 60_000, 50_000, 2_000
_PROGRAM = """
import sys
for number in range(1, int(sys.argv[1]) + 1):
    text = "the needle" if number == int(sys.argv[2]) else "straw"
    sys.stdout.write(f"row {number} of {text} and more of it, so that a line is as long as lines are\\n")
"""  # noqa: E501


@pytest.fixture(scope="module")
def job(stack: Stack) -> str:
    """Run a job with a long log."""
    argv = ["python3", "-c", _PROGRAM, str(LINES), str(WANTED)]
    created = stack.submit(
        [{"id": "talk", "uses": "command", "with": {"argv": argv}}], name="much to say"
    )
    assert stack.end_of(created)["status"] == "succeeded"
    stack.assert_whole_log(created)
    return created


def _row(page: Page, number: int) -> Locator:
    return page.locator(f"[data-log-rows] .ln[data-line='{number}']")


def _numbers(page: Page) -> list[int]:
    numbers: list[int] = page.locator("[data-log-rows] .ln").evaluate_all(
        "(rows) => rows.map((row) => Number(row.dataset.line))"
    )
    return numbers


def _bounded(page: Page) -> None:
    rows = page.locator("[data-log-rows] .ln").count()
    assert 0 < rows <= ROWS_MAX, rows
    assert page.locator("*").count() < 6 * ROWS_MAX


def test_a_search_hit_far_down_is_scrolled_to(page: Page, job: str) -> None:
    page.goto(f"/jobs/{job}/")
    expect(page.locator("[data-log-lines-count]")).to_have_text(f"{LINES:,} lines")
    page.locator("#log").scroll_into_view_if_needed()
    expect(_row(page, 1)).to_be_in_viewport()
    page.get_by_label("Search the log").fill("THE NEEDLE")
    page.get_by_label("Search the log").press("Enter")
    expect(page.locator("[data-log-count]")).to_have_text("1 of 1")
    hit = _row(page, WANTED)
    expect(hit).to_be_in_viewport(ratio=1)
    expect(hit.locator("mark")).to_have_text("the needle")
    expect(hit).to_contain_text(f"row {WANTED} of")
    expect(_row(page, WANTED - 1)).to_be_in_viewport()  # with the lines around it
    _bounded(page)


def test_the_search_moves_from_hit_to_hit_and_wraps_around(page: Page, job: str) -> None:
    page.goto(f"/jobs/{job}/")
    page.locator("#log").scroll_into_view_if_needed()
    field = page.get_by_label("Search the log")
    field.fill("row 5999")  # 5999 and 59990 to 59999
    field.press("Enter")
    expect(page.locator("[data-log-count]")).to_have_text("1 of 11")
    expect(_row(page, 5999)).to_be_in_viewport()
    field.press("Enter")
    expect(_row(page, 59_990)).to_be_in_viewport()
    field.press("Shift+Enter")
    field.press("Shift+Enter")
    expect(page.locator("[data-log-count]")).to_have_text("11 of 11")
    expect(_row(page, 59_999)).to_be_in_viewport()
    _bounded(page)
    field.press("Escape")
    expect(page.locator("[data-log-rows] mark")).to_have_count(0)


def test_a_link_to_a_line_opens_there_and_marks_it(page: Page, job: str) -> None:
    page.goto(f"/jobs/{job}/?attempt=1#L{WANTED}")
    expect(_row(page, WANTED)).to_have_class("ln stdout target")
    page.locator("#log").scroll_into_view_if_needed()
    expect(_row(page, WANTED)).to_be_in_viewport()
    _bounded(page)
    _row(page, WANTED + 3).get_by_role("link").click()
    expect(_row(page, WANTED + 3)).to_have_class("ln stdout target")
    assert page.url.endswith(f"#L{WANTED + 3}")
    page.reload()
    expect(_row(page, WANTED + 3)).to_have_class("ln stdout target")


def test_keys_and_wheel_reach_both_ends_and_rows_stay_few(page: Page, job: str) -> None:
    page.goto(f"/jobs/{job}/")
    lines = page.get_by_role("region", name="Log lines")
    lines.focus()
    page.keyboard.press("End")
    expect(_row(page, LINES)).to_be_in_viewport()
    page.keyboard.press("g")
    expect(_row(page, 1)).to_be_in_viewport()
    lines.hover()
    for _ in range(12):
        page.mouse.wheel(0, 3000)
        page.evaluate(
            "new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))"
        )
    wait_for(lambda: _numbers(page)[0] > 400, "the wheel moved the rows")
    shown = _numbers(page)
    assert shown == list(range(shown[0], shown[0] + len(shown)))
    _bounded(page)


def test_platform_lines_differ_from_errors_of_the_workload(page: Page, stack: Stack) -> None:
    job = stack.submit("ln -s /etc outputs/link; echo its own >&2")
    stack.end_of(job)
    stack.assert_whole_log(job)
    page.goto(f"/jobs/{job}/")
    page.locator("#log").scroll_into_view_if_needed()
    expect(page.locator("[data-log-rows] .ln.sys span")).to_contain_text(
        "mimir: outputs/link is not a regular file"
    )
    expect(page.locator("[data-log-rows] .ln.sys em")).to_have_text("")
    expect(page.locator("[data-log-rows] .ln.stderr em")).to_have_text("err")
