"""Models and the columns of a dataset.

What their pages show, and the links between them.
"""

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Visit
from tests.browser.watch import Watch
from tests.frontend import shelf
from tests.support.modelrows import write_versions
from tests.support.stack import Stack

DAYS = "day,rides,weather,late\n" + "".join(
    f"2012-{1 + day // 28 % 12:02d}-{1 + day % 28:02d},{200 + day * 37 % 900},{'rain' if day % 3 else 'sun'},{'' if day % 50 == 0 else day / 7:.5}\n"  # noqa: E501
    for day in range(1, 400)
)


@pytest.fixture(scope="module")
def bikes(stack: Stack) -> str:
    """Return the URL of a project with a dataset and a model for each task."""
    stack.project("bikes")
    _upload(stack, "days")
    for name, versions in (
        ("demand forecast?", [shelf.regression(1, 1.085), shelf.regression(2)]),
        ("weather-class", [shelf.classification(1), shelf.classification(2)]),
    ):
        write_versions(stack, project="bikes", name=name, dataset="days", versions=versions)
    return "/projects/bikes"


def _upload(stack: Stack, name: str) -> None:
    answer = stack.call(
        "POST",
        "/api/v1/projects/bikes/datasets/",
        data={"name": name},
        files={"file": ("a.csv", DAYS.encode())},
    )
    assert answer.status_code == 201, answer.text


def test_the_list_links_to_a_version_and_to_a_comparison_of_two(page: Page, bikes: str) -> None:
    page.goto(f"{bikes}/models/")
    row = page.get_by_role("row").filter(has_text="demand forecast?")
    expect(row).to_contain_text("63 % better than the baseline")
    row.get_by_role("link", name="demand forecast?").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("demand forecast?, version 2")
    expect(
        page.get_by_role("img", name="Predicted against actual values of 293 held-out rows")
    ).to_be_visible()
    expect(page.locator("circle.fp")).to_have_count(293)

    numbers = page.get_by_role("group", name="Numbers of this plot").first
    expect(numbers).to_be_hidden()
    page.get_by_text("Show numbers").first.click()
    expect(numbers.get_by_role("row")).to_have_count(294)

    page.get_by_label("Version", exact=True).select_option("1")
    expect(page.get_by_role("heading", level=1)).to_have_text("demand forecast?, version 1")
    expect(page.get_by_text("This is an older version")).to_be_visible()
    page.get_by_role("link", name="Compare two").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("demand forecast?, versions 1 and 2")
    error = page.get_by_role("row").filter(has_text="Root mean squared error").first
    expect(error.get_by_role("cell").nth(1)).to_contain_text("412 better")
    page.get_by_label("First version").select_option("2")
    expect(page.get_by_text("Choose two different versions")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text("demand forecast?, versions 1 and 2")


def test_the_curves_of_another_class_have_an_address(page: Page, bikes: str) -> None:
    page.goto(f"{bikes}/models/weather-class/compare/")
    page.get_by_label("Class of the curves").select_option("fog")
    page.wait_for_url("**&class=fog")
    expect(page.get_by_text("class fog")).to_have_count(3)


def test_without_script_a_version_is_chosen_by_a_button(member: Visit, bikes: str) -> None:
    page = member(java_script_enabled=False)
    page.goto(f"{bikes}/models/weather-class/")
    page.get_by_label("Version", exact=True).select_option("1")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("weather-class, version 1")


def test_the_profile_comes_after_the_page_and_moves_nothing(
    page: Page, stack: Stack, bikes: str
) -> None:
    _upload(stack, "later")
    held: list[Route] = []
    page.route("**/versions/1/profile/", lambda route: held.append(route))
    page.goto(f"{bikes}/datasets/later/")
    region = page.get_by_role("region", name="First rows")
    expect(region.get_by_role("row").nth(1)).to_contain_text("2012-01-02")
    expect(page.get_by_text("Computing column statistics")).to_be_visible()
    cells = (
        "(region) => [...region.querySelectorAll('tbody tr:first-child td, thead th')].map((one) "
        "=> JSON.stringify(one.getBoundingClientRect()))"
    )
    before = region.evaluate(cells)
    assert len(held) == 1
    held[0].continue_()
    rides = region.get_by_role("columnheader").filter(has_text="rides")
    expect(rides).to_contain_text("mean")
    expect(rides.get_by_role("img")).to_have_accessible_name(
        "Histogram of 20 bins. 201 to 1,093, mean 641."
    )
    expect(region.get_by_role("columnheader").filter(has_text="weather")).to_contain_text(
        "rain 67 %, sun 33 %"
    )
    expect(region.get_by_role("columnheader").filter(has_text="late")).to_contain_text("missing")
    assert region.evaluate(cells) == before
    page.reload()
    expect(rides).to_contain_text("mean")
    assert len(held) == 1  # it is loaded now: no further request


def test_a_failed_profile_says_so_and_can_be_retried(
    page: Page, stack: Stack, bikes: str, watch: Watch
) -> None:
    watch.expects("ERR_FAILED")
    _upload(stack, "again")
    page.route("**/versions/1/profile/", lambda route: route.abort())
    page.goto(f"{bikes}/datasets/again/")
    expect(page.get_by_text("The column statistics could not be computed.")).to_be_visible()
    page.get_by_role("link", name="Try again").click()
    expect(page.get_by_role("columnheader").filter(has_text="rides")).to_contain_text("mean")


def test_without_script_a_link_counts_the_columns(member: Visit, stack: Stack, bikes: str) -> None:
    _upload(stack, "plain")
    page = member(java_script_enabled=False)
    page.goto(f"{bikes}/datasets/plain/")
    page.get_by_role("link", name="Compute now").click()
    expect(page.get_by_role("columnheader").filter(has_text="rides")).to_contain_text("mean")
    page.get_by_role("link", name="Columns").click()
    expect(page.get_by_role("row").filter(has_text="weather")).to_contain_text("none")


def test_a_menu_opens_and_closes_with_the_keyboard(page: Page, bikes: str) -> None:
    page.goto(f"{bikes}/datasets/days/")
    menu = page.get_by_text("Use in a job")
    menu.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Train a model")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name="Train a model")).to_be_hidden()
    expect(menu).to_be_focused()
