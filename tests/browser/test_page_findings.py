"""Details of pages.

Choices and defaults of forms, texts of logs, lineages and tables, and no page that is too wide.
"""

import os
import random
from pathlib import Path
from typing import Any

import psutil
import pytest
from playwright.sync_api import Locator, Page, expect

from jobs.core.resources import parse_cpu, parse_memory
from tests.browser.conftest import Visit
from tests.browser.watch import Watch
from tests.support.browser import PHONE
from tests.support.stack import Stack
from tests.support.twins import make_twin, update_twin
from tests.support.workbooks import xlsx

PROJECT = "findings"
_READINGS = (
    "\n".join(
        ["sensor_id,read_at,level"]
        + [f"S{n % 3},2026-03-0{n // 3 + 1}T08:00:00,{n}.5" for n in range(9)]
    )
    + "\n"
)
_TWIN: dict[str, Any] = {
    "types": [
        {
            "name": "sensor",
            "title": "Sensor",
            "key": {"name": "sensor_id"},
            "properties": [{"name": "level", "title": "Level", "type": "number"}],
        }
    ]
}
# The whole text of the log's empty panel beside each status that the page showed.
_RECORD = """
window.seen = [];
document.addEventListener('DOMContentLoaded', () => {
  const look = () => {
    const empty = document.querySelector('[data-log-empty]');
    if (empty && !empty.hidden) window.seen.push([document.querySelector('.st.pill')?.textContent.trim(), empty.textContent.trim()]);
  };
  look();
  new MutationObserver(look).observe(document.body, { subtree: true, childList: true, characterData: true, attributes: true });
});
"""  # noqa: E501


def _customers() -> str:
    """Return 200 customers as CSV.

    An identifier, a number with many digits, a date written as a timestamp, and a class to predict.
    """
    random.seed(4)
    rows = [
        (
            f"C{n:05d},{random.random():.17f},2026-01-{n % 28 + 1:02d} "
            f"00:00:00,{'yes' if n % 3 else 'no'}"
        )
        for n in range(200)
    ]
    return "\n".join(["customer_id,score,since,churn", *rows]) + "\n"


def _upload(stack: Stack, name: str, content: str) -> None:
    answer = stack.call(
        "POST",
        f"/api/v1/projects/{stack.project(PROJECT)}/datasets/",
        data={"name": name},
        files={"file": ("data.csv", content.encode())},
    )
    assert answer.status_code == 201, answer.text


@pytest.fixture(scope="module")
def customers(stack: Stack) -> str:
    """Return the path of the dataset's page."""
    _upload(stack, "customers", _customers())
    return f"/projects/{PROJECT}/datasets/customers/"


@pytest.fixture(scope="module")
def sensors(stack: Stack) -> str:
    """Return the path of a twin with one entity. Its dataset has several rows of each sensor."""
    stack.project(PROJECT)
    make_twin(stack, PROJECT, "sensors", _TWIN)
    update_twin(
        stack, PROJECT, "sensors", "sensor_id,level\nS0,1\n", type="sensor", key="sensor_id"
    )
    _upload(stack, "readings", _READINGS)
    return f"/projects/{PROJECT}/twins/sensors/"


def _column(page: Page, name: str) -> Locator:
    return (
        page.get_by_role("region", name="First rows")
        .get_by_role("columnheader")
        .filter(has_text=name)
    )


def test_a_twin_update_preselects_the_only_type_and_its_key_and_takes_the_latest_row(
    page: Page, stack: Stack, sensors: str
) -> None:
    """Finding F17."""
    form = f"/projects/{PROJECT}/jobs/new/?type=digital_twin_update&twin=sensors"
    page.goto(f"{form}&dataset=readings")
    expect(page.locator("#start")).to_contain_text("on local")
    expect(page.get_by_role("heading", name="If you run it now")).to_be_visible()
    page.goto(form)
    expect(page.locator("[name='parameters.type']")).to_have_value("sensor")
    page.get_by_role("combobox", name="Dataset").select_option("readings")
    expect(page.locator("[name='parameters.key']")).to_have_value("sensor_id")
    latest = page.get_by_role("combobox", name="Latest by")
    expect(latest).to_have_value("")
    expect(latest.locator("option")).to_contain_text(
        ["one row for each entity", "sensor_id", "read_at", "level"]
    )
    latest.select_option("read_at")
    page.get_by_role("button", name="Run twin update").click()
    page.wait_for_url("**/jobs/*-*/")
    expect(page.locator(".st.pill")).to_have_text("Succeeded")
    expect(page.locator("[data-log-rows]")).to_contain_text(
        "6 of 9 rows are not the latest of their entity by read_at"
    )
    rows = page.goto(sensors) and page.locator("tbody tr")
    assert rows
    expect(rows).to_have_count(3)
    expect(rows.filter(has_text="S2")).to_contain_text("8.5")


def test_the_log_of_a_training_lists_its_stages_and_agrees_with_the_status(
    page: Page, stack: Stack, customers: str
) -> None:
    """Findings F15 and F21: the lineage of its inputs is a graph."""
    body = {
        "type": "ml_training",
        "parameters": {
            "dataset": "customers",
            "target": "churn",
            "model": "churn",
            "features": ["score"],
        },
    }
    job = stack.call("POST", f"/api/v1/projects/{PROJECT}/jobs/", json=body).json()["id"]
    page.add_init_script(_RECORD)
    page.goto(f"/jobs/{job}/")
    expect(page.locator(".st.pill")).to_have_text("Succeeded", timeout=90_000)
    expect(page.locator("[data-log-state]")).to_have_text("complete")
    lines = page.locator("[data-log-rows] .ln")
    expect(lines.filter(has_text="mimir: ").nth(2)).to_be_visible()
    shown: list[list[str]] = page.evaluate("window.seen")
    assert [
        (status, said)
        for status, said in shown
        if status == "Running" and ("starting" in said or "starts" in said)
    ] == []

    page.goto(customers)
    page.locator("details.whole summary").click()
    graph = page.get_by_role("group", name="Lineage, data flows from left to right")
    nodes = graph.get_by_role("link")
    expect(nodes).to_have_count(3)
    expect(graph.locator("path.edge")).to_have_count(2)
    expect(graph.locator("[aria-current=page]")).to_contain_text("customers")
    graph.get_by_role("link").filter(has_text="Model v1").click()
    page.wait_for_url(f"**/projects/{PROJECT}/models/churn/**")


def test_an_identifier_is_all_different_digits_are_few_and_dates_have_no_clock(
    page: Page, customers: str
) -> None:
    """Findings F25 and F28. The whole value stays in the tooltip."""
    page.goto(f"{customers}?profile=1")
    identifier = _column(page, "customer_id")
    expect(identifier).to_contain_text("all distinct")
    expect(identifier).not_to_contain_text("%")
    expect(identifier.locator("rect")).to_have_count(0)
    expect(_column(page, "churn").locator("rect.hb")).to_have_count(2)
    cells = (
        page.get_by_role("region", name="First rows").get_by_role("row").nth(1).get_by_role("cell")
    )
    whole = _customers().splitlines()[1].split(",")[1]
    expect(cells.nth(2)).to_have_text(f"{float(whole):.6g}")
    expect(cells.nth(2)).to_have_attribute("title", str(float(whole)))
    expect(cells.nth(3)).to_have_text("2026-01-01")
    expect(page.get_by_role("region", name="First rows")).not_to_contain_text("00:00:00")


def test_the_resources_of_a_training_fit_the_machine(
    page: Page, stack: Stack, customers: str
) -> None:
    """Finding F27, with workers as processes."""
    page.goto(
        f"/projects/{PROJECT}/jobs/new/?type=ml_training&dataset=customers&target=churn&model=any"
    )
    expect(page.locator("[data-dry]")).to_contain_text("CPU")
    body = {
        "type": "ml_training",
        "parameters": {"dataset": "customers", "target": "churn", "model": "any"},
    }
    checked = stack.call("POST", f"/api/v1/projects/{PROJECT}/jobs/?dry_run=1", json=body).json()[
        "resources"
    ]
    resources = page.locator("[data-dry] dt", has_text="Resources").locator("+ dd")
    cores = os.cpu_count() or 1
    values = resources.inner_text().split(" CPU")[0].split()
    assert max(float(word) for word in values if word != "to") <= cores, values
    assert parse_cpu(checked["cpu"]) <= 1000 * cores
    assert parse_memory(checked["memory"]) <= psutil.virtual_memory().total


def test_a_decimal_comma_is_answered_with_the_number_to_type(
    page: Page, sensors: str, customers: str, watch: Watch
) -> None:
    """Finding F30: the form of an entity and the form of a job."""
    watch.expects("status of 400")
    page.goto(f"{sensors}entity/?type=sensor&key=S0&edit=1")
    page.get_by_role("textbox", name="Level").fill("21,5")
    page.get_by_role("button", name="Save values").click()
    expect(page.locator("#e-v-level")).to_contain_text("Use a point: 21.5")
    expect(page.get_by_role("textbox", name="Level")).to_have_value("21,5")

    page.goto(
        f"/projects/{PROJECT}/jobs/new/?type=ml_training&dataset=customers&target=churn&model=any"
    )
    share = page.locator("[name='parameters.test_size']")
    share.evaluate("(one) => { const d = one.closest('details'); if (d) d.open = true; }")
    share.fill("0,25")
    page.get_by_role("button", name="Run training").click()
    expect(page.locator("[id='e-parameters.test_size']")).to_have_text("Use a point: 0.25")
    expect(share).to_have_value("0,25")


def _stage(page: Page, stack: Stack, file: Path, name: str) -> None:
    page.goto(f"/projects/{stack.project(PROJECT)}/datasets/")
    page.get_by_label("File", exact=True).set_input_files(file)
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Upload").click()
    page.wait_for_url("**/datasets/import/**")


def test_a_column_that_is_text_because_of_few_cells_is_reported_and_fixed_by_one_button(
    page: Page, stack: Stack, tmp_path: Path
) -> None:
    """Finding F10."""
    file = tmp_path / "amounts.csv"
    file.write_text(
        "id,amount\n"
        + "".join(f"{n},{'unknown' if n in (40, 90) else n * 2}\n" for n in range(1, 101))
    )
    _stage(page, stack, file, "amounts")
    banner = page.locator(".banner", has_text="Column amount is text because of")
    expect(banner).to_contain_text("98 of its 100 cells are numbers")
    expect(banner).to_contain_text("unknown")
    banner.get_by_role("button").first.click()
    expect(page.get_by_text("Column amount is text because of")).to_have_count(0)
    expect(page.locator("form[aria-busy]")).to_have_count(0)  # the whole file is read as well
    page.get_by_role("button", name="Import 100 rows").click()
    page.wait_for_url("**/datasets/amounts/**")
    expect(_column(page, "amount")).to_contain_text("double")
    expect(page.get_by_text("They are treated as missing")).to_be_visible()


def test_an_excel_file_is_imported(page: Page, stack: Stack, tmp_path: Path) -> None:
    """Finding F9."""
    file = tmp_path / "trips.xlsx"
    file.write_bytes(xlsx(["city", "trips", "share"], ["Oslo", 12, 0.25], ["Bergen", 7, 0.5]))
    _stage(page, stack, file, "workbook")
    expect(page.get_by_role("region", name="Preview").get_by_role("row").nth(1)).to_contain_text(
        "Oslo"
    )
    page.get_by_role("button", name="Import 2 rows").click()
    page.wait_for_url("**/datasets/workbook/**")
    for name, kind in (("city", "varchar"), ("trips", "bigint"), ("share", "double")):
        expect(_column(page, name)).to_contain_text(kind)


def test_use_in_a_job_pins_a_version_only_when_an_older_one_is_shown(
    page: Page, stack: Stack
) -> None:
    """Finding F18."""
    for n in (1, 2):
        _upload(stack, "growing", "a,b\n" + "1,2\n" * n)
    base = f"/projects/{PROJECT}/datasets/growing/"
    for query, version in (("", ""), ("?version=2", ""), ("?version=1", "1")):
        page.goto(base + query)
        page.get_by_text("Use in a job").click()
        page.get_by_role("link", name="Train a model").click()
        page.wait_for_url("**/jobs/new/**")
        expect(page.get_by_role("combobox", name="Dataset")).to_have_value("growing")
        expect(page.locator("[name='parameters.version']")).to_have_value(version)
        curl = page.locator("#curl")
        expect(curl).to_contain_text('"dataset": "growing"')
        assert ('"version"' in curl.inner_text()) == bool(version)


def test_pages_with_tables_do_not_scroll_sideways_on_a_phone(
    member: Visit, stack: Stack, sensors: str, customers: str
) -> None:
    """Text for screen readers inside a scrolling table must not widen the page."""
    page = member(viewport=PHONE)
    wide = f"wide,{','.join(f'a_rather_long_column_name_{n}' for n in range(30))}\n1,{','.join('1' * 30)}\n"  # noqa: E501
    _upload(stack, "wide", wide)
    project = f"/projects/{PROJECT}/"
    paths = [
        "datasets/",
        "datasets/wide/",
        "datasets/wide/?tab=columns&profile=1",
        "datasets/customers/?tab=versions",
        "jobs/",
    ]
    paths += ["models/", "members/"]
    paths += [
        "twins/",
        "twins/sensors/",
        "twins/sensors/revisions/",
        "twins/sensors/revisions/1/",
        "twins/sensors/entity/?type=sensor&key=S0",
    ]
    too_wide = {}
    for path in [
        *(project + one for one in paths),
        "/system/",
        "/system/clusters/",
        "/tokens/",
        "/account/",
    ]:
        page.goto(path)
        found, inner = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        if found > inner:
            too_wide[path] = found
    assert too_wide == {}
