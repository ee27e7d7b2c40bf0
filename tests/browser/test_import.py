"""Import: a file is uploaded once, the detected format is displayed, each option changes the
preview, and the dataset equals the preview.
"""

import json
from pathlib import Path
from urllib.parse import parse_qs

from playwright.sync_api import Page, Route, expect

from tests.browser.watch import Watch
from tests.support.browser import PHONE
from tests.support.stack import Stack

SALES = b"shop;day;amount\nA;01/02/2026;1.234,50\nB;03/04/2026;n/a\nC;05/06/2026;2.000,00\n"


def stage(page: Page, stack: Stack, file: Path, name: str) -> None:
    page.goto(f"/projects/{stack.project('imports')}/datasets/")
    page.get_by_label("File", exact=True).set_input_files(file)
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Upload").click()
    page.wait_for_url("**/datasets/import/**")


def test_options_change_the_preview_and_the_dataset_is_what_it_shows(
    page: Page, stack: Stack, tmp_path: Path
) -> None:
    file = tmp_path / "sales.csv"
    file.write_bytes(SALES)
    stage(page, stack, file, "sales")
    preview = page.get_by_role("region", name="Preview")
    expect(page.get_by_label("Delimiter")).to_have_js_property("value", "")
    expect(page.get_by_label("Delimiter").locator("option:checked")).to_have_text("; semicolon")
    assert page.evaluate(CUT) == []
    expect(preview.get_by_role("row").nth(1)).to_contain_text("1234.5")
    expect(page.get_by_text("Column day stays text", exact=False)).to_be_visible()
    page.get_by_role("button", name="Day first").click()
    expect(preview.get_by_role("row").nth(1)).to_contain_text("2026-02-01")
    preview.get_by_label("Type of amount").select_option("text")
    expect(preview.get_by_role("row").nth(1)).to_contain_text("1.234,50")
    page.get_by_role("button", name="Import 3 rows").click()
    page.wait_for_url("**/datasets/sales/**")
    grid = page.get_by_role("region", name="First rows")
    expect(grid.get_by_role("columnheader").nth(2)).to_contain_text("date")
    expect(grid.get_by_role("row").nth(1)).to_contain_text("1.234,50")


CUT = """() => {
    const drawn = document.createElement("canvas").getContext("2d");
    return [...document.querySelectorAll(".imp select")].filter(one => {
        const style = getComputedStyle(one), width = one.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
        drawn.font = `${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
        return drawn.measureText(one.selectedOptions[0].textContent).width > width;
    }).map(one => one.selectedOptions[0].textContent);
}"""  # the texts of selects that do not fit into them  # noqa: E501
STATIONS = [
    {
        "id": 1,
        "place": {"city": "Seattle"},
        "created_at": 1700000000,
        "tags": ["a", "b"],
        "bikes": [{"no": 7}, {"no": 8}],
    },
    {"id": 2, "place": {"city": None}, "created_at": 1700000001, "tags": [], "bikes": []},
]


def test_lists_and_unix_times_of_a_json_file_are_chosen_in_the_page(
    page: Page, stack: Stack, tmp_path: Path
) -> None:
    file = tmp_path / "stations.json"
    file.write_text(json.dumps({"data": {"stations": STATIONS}}))
    stage(page, stack, file, "stations")
    preview = page.get_by_role("region", name="Preview")
    expect(page.get_by_label("Type of tags").locator("option:checked")).to_have_text("list")
    page.get_by_label("Lists in a row").select_option(label="one row for each item of bikes")
    expect(preview.get_by_role("row")).to_have_count(4)
    page.get_by_label("Nested objects").select_option("columns")
    expect(page.get_by_label("Type of bikes.no")).to_be_visible()
    expect(page.get_by_label("Type of place.city")).to_be_visible()
    page.get_by_role("button", name="Read as date and time").click()
    expect(preview.get_by_role("row").nth(1)).to_contain_text("2023-11-14 22:13:20")
    expect(page.get_by_label("Dates")).to_have_value("unix-seconds")
    expect(page.get_by_text("rows with an empty list or no value: 1")).to_be_visible()
    assert page.evaluate(CUT) == []
    page.get_by_role("button", name="Import 3 rows").click()
    page.wait_for_url("**/datasets/stations/**")
    version = stack.call(
        "GET", f"/api/v1/projects/{stack.project('imports')}/datasets/stations/versions/latest/"
    ).json()
    assert (version["row_count"], {"name": "bikes.no", "type": "BIGINT"} in version["schema"]) == (
        3,
        True,
    )


def test_json_that_is_not_json_says_where_and_shows_the_options_of_json(
    page: Page, stack: Stack, tmp_path: Path
) -> None:
    file = tmp_path / "bad.json"
    file.write_text('[{"id": 1},\n{"id": 2, \'name\': 3}]')
    stage(page, stack, file, "bad-json")
    expect(page.get_by_text("Line 2, character 11: There is a single quote.")).to_be_visible()
    expect(page.get_by_label("Nested objects")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    page.wait_for_url("**/datasets/")


def test_differing_columns_are_shown_before_the_import_which_can_leave_the_current_version(
    page: Page, stack: Stack, tmp_path: Path
) -> None:
    for number, content in enumerate((b"a,b\n1,2\n", b"a,c\n1,2\n")):
        file = tmp_path / f"{number}.csv"
        file.write_bytes(content)
        stage(page, stack, file, "aside")
        hint = page.locator("#import-current")
        expect(hint).to_contain_text("read the previous one" if number else "always current")
        if number:
            expect(page.get_by_text("2 columns differ from version 1")).to_be_visible()
            page.get_by_label("Make it the current version").uncheck()
        page.get_by_role("button", name="Import 1 row").click()
        page.wait_for_url("**/datasets/aside/**")
    expect(page.get_by_text("This is not the current version")).to_be_visible()


def test_an_unreadable_file_has_a_reason_and_nothing_remains_after_cancel(
    page: Page, stack: Stack, tmp_path: Path
) -> None:
    file = tmp_path / "bad.csv"
    file.write_bytes(b"a,b\n1,2\n1,2,3\n")
    stage(page, stack, file, "bad")
    expect(page.get_by_text("cannot be read with these options")).to_be_visible()
    expect(page.get_by_role("button", name="Import", exact=True)).to_be_disabled()
    page.get_by_role("button", name="Cancel").click()
    page.wait_for_url("**/datasets/")
    assert (
        stack.call("GET", f"/api/v1/projects/{stack.project('imports')}/uploads/").json()["results"]
        == []
    )


def test_the_preview_also_shows_the_cells_as_in_the_file(
    page: Page, stack: Stack, tmp_path: Path
) -> None:
    file = tmp_path / "marks.csv"
    file.write_bytes(SALES)
    stage(page, stack, file, "marks")
    preview = page.get_by_role("region", name="Preview, scrolls sideways")
    cell = preview.get_by_role("row").nth(1).get_by_role("cell").nth(3)
    expect(cell).to_have_text("1234.5", use_inner_text=True)
    page.get_by_text("As in the file").click()
    expect(cell).to_have_text("1.234,50", use_inner_text=True)
    expect(preview.get_by_role("row").nth(2).get_by_role("cell").nth(3)).to_have_text(
        "n/a", use_inner_text=True
    )
    page.get_by_label("Rows to skip").fill("0")
    page.get_by_role("button", name="Day first").click()
    expect(preview.get_by_role("row").nth(1)).to_contain_text("2026-02-01")
    # the choice is kept after the file is read again
    expect(cell).to_have_text("1.234,50", use_inner_text=True)
    page.set_viewport_size(PHONE)
    assert (
        page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        == 0
    )


def test_rows_are_added_to_the_current_version(page: Page, stack: Stack, tmp_path: Path) -> None:
    for number, content in enumerate((b"id,amount\n007,1.5\n", b"amount,id\n2,8\n3,9\n")):
        file = tmp_path / f"{number}.csv"
        file.write_bytes(content)
        stage(page, stack, file, "grows")
        if number:
            expect(page.get_by_text("2 columns differ from version 1")).to_be_visible()
            page.get_by_label("Add to the 1 row of version 1").check()
            expect(page.get_by_text("2 columns differ")).to_have_count(0)
            page.get_by_role("button", name="Add 2 rows").click()
        else:
            page.get_by_role("button", name="Import 1 row").click()
        page.wait_for_url("**/datasets/grows/**")
    expect(page.get_by_text("Added 2 rows of the file below 1 row of version 1.")).to_be_visible()
    grid = page.get_by_role("region", name="First rows")
    expect(grid.get_by_role("row").nth(1)).to_contain_text("007")
    expect(grid.get_by_role("row")).to_have_count(4)


def test_rows_of_other_columns_are_not_added(
    page: Page, stack: Stack, watch: Watch, tmp_path: Path
) -> None:
    watch.expects("status of 400")
    for number, content in enumerate((b"a,b\n1,2\n", b"a,c\n1,2\n")):
        file = tmp_path / f"{number}.csv"
        file.write_bytes(content)
        stage(page, stack, file, "kept-apart")
        if number:
            page.get_by_label("Add to the 1 row of version 1").check()
            expect(page.get_by_text("These rows cannot be added")).to_be_visible()
            page.get_by_role("button", name="Add 1 row").click()
            break
        page.get_by_role("button", name="Import 1 row").click()
        page.wait_for_url("**/datasets/kept-apart/**")
    expect(page.get_by_role("alert")).to_contain_text("Column b is missing. Column c is new.")
    expect(page.get_by_label("Add to the 1 row of version 1")).to_be_checked()


def test_text_typed_while_the_file_is_read_is_kept(
    page: Page, stack: Stack, tmp_path: Path
) -> None:
    file = tmp_path / "typed.csv"
    file.write_bytes(SALES)
    stage(page, stack, file, "typed")
    held: list[Route] = []
    page.route("**/datasets/import/**", lambda route: held.append(route))
    page.get_by_label("Quote").select_option("none")
    field = page.get_by_label("Missing values")
    field.press_sequentially("unknown")
    assert len(held) == 1
    with page.expect_response("**/datasets/import/**"):
        page.unroute("**/datasets/import/**")  # releases the blocked request
    field.press_sequentially(", none")
    field.blur()
    expect(page.locator("form[aria-busy]")).to_have_count(0)
    expect(field).to_have_value("unknown, none")
    expect(page.get_by_label("Quote")).to_have_value("none")


def test_a_click_on_import_during_readings_imports_what_the_page_shows_after_them(
    page: Page, stack: Stack, tmp_path: Path
) -> None:
    file = tmp_path / "shops.csv"
    file.write_bytes(b"shop;town\nA;1,5\nB;2,5\n")
    stage(page, stack, file, "shops")
    expect(page.locator("form[aria-busy]")).to_have_count(0)
    held: list[Route] = []
    page.route("**/datasets/import/**", lambda route: held.append(route))
    working = page.locator("#import-head").get_by_role("status")
    expect(working).to_be_hidden()
    for delimiter in (",", ";"):
        with page.expect_request("**/datasets/import/**"):
            page.get_by_label("Delimiter").select_option(delimiter)
    expect(working).to_be_visible()
    expect(working).to_have_text("Reading the file…", use_inner_text=True)
    for _ in range(2):  # a second, impatient click
        page.get_by_role("button", name="Import").click()
    expect(page.locator("form[aria-busy]")).to_have_count(1)
    expect(page.get_by_text("Reading the file, then importing…")).to_be_visible()
    assert [_then(route) for route in held] == ["read", "read"]
    page.unroute("**/datasets/import/**")  # releases the blocked requests
    page.wait_for_url("**/datasets/shops/**")
    grid = page.get_by_role("region", name="First rows")
    expect(grid.get_by_role("columnheader").nth(2)).to_contain_text("town")


def _then(route: Route) -> str:
    """Return the action of a posted import form."""
    return parse_qs(route.request.post_data or "")["then"][0]


def test_a_click_on_import_that_a_reading_interrupts_is_not_lost(
    page: Page, stack: Stack, tmp_path: Path
) -> None:
    file = tmp_path / "press.csv"
    file.write_bytes(SALES)
    stage(page, stack, file, "press")
    expect(page.locator("form[aria-busy]")).to_have_count(0)
    page.route("**/datasets/import/**", lambda _route: None)  # blocks it
    with page.expect_request("**/datasets/import/**"):
        page.get_by_label("Quote").select_option("none")
    page.get_by_role("button", name="Import").hover()
    page.mouse.down()
    page.unroute("**/datasets/import/**")
    expect(page.locator("form[aria-busy]")).to_have_count(0)
    page.mouse.up()
    page.wait_for_url("**/datasets/press/**")
