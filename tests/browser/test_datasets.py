"""Upload of a file, and the page of its dataset."""

import gzip
import io
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit
from tests.browser.watch import Watch
from tests.support.stack import Stack

HEAD, ROW = "station,day,trips\n", "Pier 69,2026-10-{day:02d},{trips}\n"
SLOW = {
    "offline": False,
    "latency": 0,
    "downloadThroughput": -1,
    "uploadThroughput": 2_000_000,
}  # bytes per second

_OBSERVE = """() => {
  const place = document.querySelector("[data-progress]");
  const [bar, words] = [place.querySelector("progress"), place.querySelector("[data-progress-text]")];
  const tell = () => { if (!place.hidden) window.saw([bar.value, words.textContent]); };
  new MutationObserver(tell).observe(place, { attributes: true, childList: true, characterData: true, subtree: true });
}"""  # noqa: E501


def _csv(rows: int) -> bytes:
    return (
        HEAD + "".join(ROW.format(day=number % 28 + 1, trips=number) for number in range(rows))
    ).encode()


def _import(page: Page, name: str) -> None:
    """Confirm step 2 with the detected options."""
    page.wait_for_url("**/datasets/import/**")
    page.get_by_role("button", name="Import").click()
    page.wait_for_url(f"**/datasets/{name}/**")


def _choose(page: Page, stack: Stack, project: str, file: Path, name: str = "") -> None:
    page.goto(f"/projects/{stack.project(project)}/datasets/")
    page.get_by_label("File", exact=True).set_input_files(file)
    if name:
        page.get_by_label("Name").fill(name)


def test_an_upload_shows_its_progress_and_the_dataset_appears_with_a_preview(
    page: Page, stack: Stack, tmp_path: Path
) -> None:
    file = tmp_path / "bike trips.csv"
    file.write_bytes(_csv(100_000))
    saw: list[tuple[float, str]] = []
    page.expose_function("saw", lambda event: saw.append(tuple(event)))
    page.context.new_cdp_session(page).send("Network.emulateNetworkConditions", SLOW)
    _choose(page, stack, "uploads", file)
    expect(page.get_by_label("Name")).to_have_value("bike_trips")  # suggested by the file
    page.evaluate(_OBSERVE)
    page.get_by_role("button", name="Upload").click()
    _import(page, "bike_trips")
    values = [value for value, _ in saw]
    assert values == sorted(values)
    assert any(0 < value < 100 and " of 2.4" in text for value, text in saw), saw
    assert saw[-1][1] == "Uploaded. The server is checking the file."

    expect(page.get_by_role("heading", name="bike_trips")).to_be_visible()
    preview = page.get_by_role("region", name="First rows")
    heads = preview.get_by_role("columnheader")
    for place, label in enumerate(("row", "stationvarchar", "daydate", "tripsbigint")):
        expect(heads.nth(place)).to_contain_text(label)
    expect(preview.get_by_role("row").nth(1)).to_have_text("1Pier 692026-10-010")
    expect(preview.get_by_role("row")).to_have_count(101)
    expect(page.get_by_text("first 100 of 100,000 rows")).to_be_visible()


def test_a_repeated_name_creates_a_new_version_and_the_old_one_stays(
    page: Page, stack: Stack, tmp_path: Path
) -> None:
    for rows in (3, 5):
        file = tmp_path / f"{rows}.csv"
        file.write_bytes(_csv(rows))
        _choose(page, stack, "uploads", file, "grows")
        page.get_by_role("button", name="Upload").click()
        _import(page, "grows")
    expect(page.get_by_text("v2, current")).to_be_visible()
    page.get_by_label("Version", exact=True).select_option("1")
    expect(page.get_by_text("This is not the current version")).to_be_visible()
    expect(page.get_by_role("region", name="First rows").get_by_role("row")).to_have_count(4)


def test_a_wrong_upload_is_reported_and_undone(page: Page, stack: Stack, tmp_path: Path) -> None:
    for number, content in enumerate((_csv(3), b"station,trips\nPier 69,many\n")):
        file = tmp_path / f"{number}.csv"
        file.write_bytes(content)
        _choose(page, stack, "uploads", file, "wrong")
        page.get_by_role("button", name="Upload").click()
        _import(page, "wrong")
    notice = page.locator(".banner.warn")
    expect(notice).to_contain_text("2 columns differ from version 1.")
    expect(notice.get_by_role("listitem")).to_have_text(
        ["Column day is missing.", "Column trips was BIGINT and is VARCHAR."]
    )
    notice.get_by_role("link", name="Versions").click()
    page.get_by_role("button", name="Make current: version 1").click()
    expect(page.get_by_text("v1, current")).to_be_visible()
    page.get_by_role("button", name="Delete version 2").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("link", name="Version 2")).to_have_count(0)
    page.get_by_role("link", name="File").click()
    page.get_by_role("button", name="Delete the dataset").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    page.wait_for_url("**/datasets/")
    expect(page.get_by_role("link", name="wrong")).to_have_count(0)


def _zipped(data: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("trips.csv", data)
    return buffer.getvalue()


@pytest.mark.parametrize(("pack", "word"), [(gzip.compress, "gzip"), (_zipped, "zip")])
def test_a_packed_file_is_read_by_its_content_whatever_its_name(
    page: Page, stack: Stack, tmp_path: Path, pack: object, word: str
) -> None:
    assert callable(pack)
    file = tmp_path / "trips.csv"
    file.write_bytes(pack(_csv(50)))
    _choose(page, stack, "packed", file, f"from-{word}")
    page.get_by_role("button", name="Upload").click()
    _import(page, f"from-{word}")
    expect(page.get_by_text("50 rows").first).to_be_visible()


def test_an_upload_that_is_stopped_saves_nothing(page: Page, stack: Stack, tmp_path: Path) -> None:
    file = tmp_path / "large.csv"
    file.write_bytes(_csv(100_000))
    page.context.new_cdp_session(page).send(
        "Network.emulateNetworkConditions", {**SLOW, "uploadThroughput": 50_000}
    )
    _choose(page, stack, "uploads", file, "stopped")
    page.get_by_role("button", name="Upload").click()
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("[data-field=file] .errm")).to_have_text("Stopped. Nothing was saved.")
    expect(page.get_by_role("button", name="Upload")).to_be_enabled()
    assert stack.call("GET", "/api/v1/projects/uploads/datasets/stopped/").status_code == 404


def test_without_script_the_form_uploads_reads_again_and_imports(
    member: Visit, stack: Stack, tmp_path: Path, watch: Watch
) -> None:
    watch.expects("status of 400")
    page = member(java_script_enabled=False)
    file = tmp_path / "trips.csv"
    file.write_bytes(b"")
    _choose(page, stack, "plain", file, "by-form")
    page.get_by_role("button", name="Upload").click()
    expect(page.locator("[data-field=file] .errm")).to_contain_text("empty")
    expect(page.get_by_label("Name")).to_have_value("by-form")
    file.write_bytes(_csv(9))
    page.get_by_label("File", exact=True).set_input_files(file)
    page.get_by_role("button", name="Upload").click()
    page.get_by_label("Type of trips").select_option("text")
    page.get_by_role("button", name="Read again").first.click()
    expect(page.get_by_label("Type of trips")).to_have_value("text")
    _import(page, "by-form")
    expect(page.get_by_text("9 rows").first).to_be_visible()
