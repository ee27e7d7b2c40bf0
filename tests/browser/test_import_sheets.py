"""Import of a workbook.

Sheets, a range, one dataset for each sheet or one for all, with and without JavaScript.
"""

from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit
from tests.browser.test_import import stage
from tests.browser.watch import Watch
from tests.support.browser import PHONE
from tests.support.stack import Stack
from tests.support.workbooks import PlainCell, xlsx_of

TITLED: list[list[PlainCell]] = [
    ["Trips"],
    [],
    ["station", "n"],
    *(list[PlainCell]((31000 + row, row)) for row in range(40)),
]
PIER = 'Pier "69" שלום'
BOOK = xlsx_of(
    {
        "Trips 2025": TITLED,
        PIER: [["station", "place"], [7, "Oslo"]],
        "Chart": [],
        "Old": [["a"], [1]],
    },
    ["Old"],
)


def test_sheets_and_a_range_are_chosen_and_each_sheet_becomes_a_dataset(
    page: Page, stack: Stack, watch: Watch, tmp_path: Path
) -> None:
    watch.expects("status of 400")
    file = tmp_path / "trips.xlsx"
    file.write_bytes(BOOK)
    stage(page, stack, file, "book")
    sheets, preview = (
        page.get_by_role("group", name="Sheets"),
        page.get_by_role("region", name="Preview, scrolls sideways"),
    )
    expect(sheets.get_by_label("Trips 2025 43 rows, 2 columns")).to_be_checked()
    expect(sheets.get_by_label("Chart no cells")).to_be_disabled()
    expect(sheets.get_by_text("hidden")).to_have_count(1)
    expect(preview.get_by_text("31,000 to 31,039")).to_be_visible()
    page.get_by_label("Range").fill("b9:a3")
    page.get_by_label("Range").blur()
    expect(page.get_by_text("must begin with its upper left cell")).to_be_visible()
    expect(page.get_by_label("Range")).to_have_value("b9:a3")
    page.get_by_label("Range").fill("a3:b9")
    page.get_by_label("Range").blur()
    expect(page.get_by_role("button", name="Import 6 rows")).to_be_visible()
    expect(page.get_by_label("Range")).to_have_value("A3:B9")
    page.get_by_label("Range").fill("")
    page.get_by_label("Range").blur()
    expect(page.get_by_role("button", name="Import 40 rows")).to_be_visible()
    preview.get_by_label("Type of n").select_option("text")
    expect(preview.get_by_text("all distinct")).to_be_visible()
    sheets.get_by_label('Pier "69"').check()
    tabs = page.get_by_role("group", name="Sheet of the preview")
    tabs.get_by_role("button", name='Pier "69"').click()
    expect(preview.get_by_role("row").nth(1)).to_contain_text("Oslo")
    expect(page.locator("form[aria-busy]")).to_have_count(0)
    page.set_viewport_size(PHONE)
    assert (
        page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        == 0
    )
    page.get_by_label(PIER, exact=True).fill("trips-2025")
    page.get_by_role("button", name="Import 2 sheets").click()
    expect(
        page.get_by_text("2 sheets have the dataset name trips-2025", exact=False).first
    ).to_be_visible()
    page.get_by_label(PIER, exact=True).fill("piers")
    page.get_by_role("button", name="Import 2 sheets").click()
    page.wait_for_url("**/datasets/")
    project = stack.project("imports")
    read = stack.call("GET", f"/api/v1/projects/{project}/datasets/trips-2025/versions/1/").json()
    assert ([column["type"] for column in read["schema"]], read["row_count"]) == (
        ["BIGINT", "VARCHAR"],
        40,
    )
    assert (
        stack.call("GET", f"/api/v1/projects/{project}/datasets/piers/versions/1/").json()[
            "reading"
        ]["sheet"]
        == PIER
    )


def test_without_script_sheets_can_be_chosen_and_previewed(
    member: Visit, stack: Stack, tmp_path: Path
) -> None:
    page = member(java_script_enabled=False)
    file = tmp_path / "trips.xlsx"
    file.write_bytes(BOOK)
    stage(page, stack, file, "plain")
    preview = page.get_by_role("region", name="Preview, scrolls sideways")
    page.get_by_role("group", name="Sheets").get_by_label('Pier "69"').check()
    page.get_by_role("button", name="Read again").last.click()
    expect(page.get_by_label(PIER, exact=True)).to_have_value("pier-69")
    page.get_by_role("group", name="Sheet of the preview").get_by_role(
        "button", name='Pier "69"'
    ).click()
    expect(preview.get_by_role("row").nth(1)).to_contain_text("Oslo")
    page.get_by_label("Several sheets").select_option("one")
    page.get_by_role("button", name="Read again").last.click()
    expect(preview.get_by_role("row").nth(1)).to_contain_text("Trips 2025")
    page.get_by_role("button", name="Import 41 rows").click()
    page.wait_for_url("**/datasets/plain/**")
    grid = page.get_by_role("region", name="First rows")
    expect(grid.get_by_role("columnheader").nth(1)).to_contain_text("sheet")
