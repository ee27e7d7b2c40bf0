"""List of jobs.

Five hundred jobs, filters and pages in the URL, and updates that move no row.
"""

from collections.abc import Callable
from functools import partial
from operator import ne
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.gated import GatedJob
from tests.browser.rows import many_jobs
from tests.support.stack import Stack

MANY, PAGE = "many", 50


@pytest.fixture(scope="module")
def many(stack: Stack) -> str:
    """Return the URL of a list with 500 jobs."""
    many_jobs(stack, MANY, 500)
    return f"/projects/{MANY}/jobs/"


def _rows(page: Page) -> Locator:
    return page.locator("[data-joblist] tbody tr:not(.grp)")


def _names(page: Page) -> list[str]:
    return page.locator("[data-joblist] tbody a.name").all_inner_texts()


def _query(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


def test_older_pages_show_each_job_once_and_newest_returns(page: Page, many: str) -> None:
    page.goto(many)
    names: list[str] = []
    while True:
        expect(_rows(page)).to_have_count(PAGE)
        names += _names(page)
        older = page.get_by_role("link", name="Older")
        if not older.count():
            break
        before = page.url
        older.click()
        page.wait_for_url(partial(ne, before))
    assert names == [f"night {number:03d}" for number in reversed(range(500))]
    assert _query(page)["cursor"]
    page.get_by_role("link", name="Newest", exact=True).click()
    expect(_rows(page).first).to_contain_text("night 499")
    assert "cursor" not in _query(page)


def test_filters_are_in_the_url_and_back_restores_them(page: Page, many: str) -> None:
    page.goto(many)
    page.get_by_role("group", name="Status").get_by_role("link", name="Failed").click()
    expect(_rows(page).first).to_contain_text("Failed")
    assert _query(page) == {"status": ["failed"]}
    assert {
        text.split("\n")[0] for text in page.locator("td[data-cell=status]").all_inner_texts()
    } == {"Failed"}
    page.get_by_label("Search by title").fill("night 49")
    page.get_by_label("Search by title").press("Enter")
    expect(_rows(page)).to_have_count(2)
    assert _names(page) == ["night 496", "night 491"]
    assert (_query(page)["status"], _query(page)["q"]) == (["failed"], ["night 49"])
    page.get_by_label("Label", exact=True).fill("team=odd")
    page.get_by_role("button", name="Filter").click()
    expect(_rows(page)).to_have_count(1)

    page.go_back()
    expect(_rows(page)).to_have_count(2)
    expect(page.get_by_label("Search by title")).to_have_value("night 49")
    page.go_back()
    expect(_rows(page)).to_have_count(PAGE)
    assert _query(page) == {"status": ["failed"]}
    page.go_back()
    expect(_rows(page).first).to_contain_text("night 499")

    page.goto(f"{many}?q=night+49&status=failed")
    page.get_by_role("link", name="Remove this filter").click()
    expect(_rows(page)).to_have_count(PAGE)
    assert _query(page) == {"status": ["failed"]}
    page.get_by_label("Search by title").fill("no job is called so")
    page.get_by_label("Search by title").press("Enter")
    expect(page.get_by_text("No job matches these filters")).to_be_visible()
    page.get_by_role("link", name="Show all jobs").click()
    expect(_rows(page)).to_have_count(PAGE)


def test_the_counts_are_those_of_the_project(page: Page, many: str) -> None:
    page.goto(many)
    numbers = page.get_by_role("group", name="Status").get_by_role("link").all_inner_texts()
    assert [text.replace("\n", " ").strip() for text in numbers] == [
        "All",
        "Running 0",
        "Waiting 0",
        "Failed 100",
        "Succeeded 300",
        "Cancelled 100",
    ]


def test_new_jobs_wait_to_be_shown_and_nothing_moves_under_the_pointer(
    page: Page, gated: Callable[..., GatedJob]
) -> None:
    first = gated(project="moving", name="was there").running()
    page.goto("/projects/moving/jobs/")
    expect(page.locator("[data-live=live]").first).to_be_visible()
    row = _rows(page).first
    place = row.bounding_box()
    row.get_by_role("link", name="was there").hover()
    for number in range(3):
        gated(project="moving", name=f"new {number}")
    waiting = page.get_by_role("link", name="3 new jobs")
    expect(waiting).to_be_visible()
    expect(_rows(page)).to_have_count(1)
    assert row.bounding_box() == place
    expect(page.locator("[data-count=running]")).not_to_have_text("1")

    first.end()  # visible rows change without moving
    expect(row.locator("[data-cell=status]")).to_have_text("Succeeded")
    expect(_rows(page)).to_have_count(1)
    assert row.bounding_box() == place
    waiting.click()
    expect(_rows(page)).to_have_count(4)
    expect(waiting).to_be_hidden()
    assert _names(page) == ["new 2", "new 1", "new 0", "was there"]


def test_a_filtered_list_reports_only_matching_new_jobs(
    page: Page, stack: Stack, gated: Callable[..., GatedJob]
) -> None:
    stack.end_of(stack.submit("false", project="fitting", name="failed before"))
    page.goto("/projects/fitting/jobs/?status=failed")
    expect(page.locator("[data-live=live]").first).to_be_visible()
    gated(project="fitting", name="still runs").running()
    stack.end_of(stack.submit("false", project="fitting", name="fails too"))
    expect(page.get_by_role("link", name="1 new job", exact=True)).to_be_visible()
    expect(page.locator("[data-count=failed]").first).to_have_text("2")


def test_the_filters_fit_into_one_row_on_a_wide_screen_with_large_counts(
    page: Page, many: str
) -> None:
    page.goto(many)
    page.locator("[data-count]").evaluate_all(
        "(all) => all.forEach((one) => { one.textContent = '1,000'; })"
    )
    tops = page.locator("form.filters > *:not([type=hidden])").evaluate_all(
        "(all) => all.map((one) => one.getBoundingClientRect().bottom)"
    )
    assert max(tops) - min(tops) < 12
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_search_finds_a_job_by_the_title_that_the_list_shows(page: Page, stack: Stack) -> None:
    project = stack.project("titles")
    definition = {"steps": [{"id": "one", "uses": "sql", "with": {"query": "SELECT 1"}}]}
    assert (
        stack.call(
            "POST",
            f"/api/v1/projects/{project}/pipelines/",
            json={"name": "sales-daily", "definition": definition},
        ).status_code
        == 201
    )
    body = {"type": "pipeline_execution", "parameters": {"pipeline": "sales-daily"}}
    assert stack.call("POST", f"/api/v1/projects/{project}/jobs/", json=body).status_code == 201
    page.goto(f"/projects/{project}/jobs/")
    title = page.locator("[data-joblist] a.name").inner_text()
    for text in (title, "sales-daily", "PIPELINE sales"):
        page.get_by_label("Search by title").fill(text)
        page.get_by_label("Search by title").press("Enter")
        page.wait_for_url("**q=*")
        expect(page.locator("[data-joblist] a.name")).to_have_text(title)
