"""Layout of forms: aligned controls in a row, icons beside text, sliders without a border."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Visit
from tests.browser.test_import import stage
from tests.browser.watch import Watch
from tests.support.browser import PHONE
from tests.support.stack import Stack
from tests.support.twins import make_twin

PROJECT = "layout"
_TWIN: dict[str, Any] = {
    "types": [
        {
            "name": "sensor",
            "key": {"name": "sensor_id"},
            "properties": [
                {"name": "level", "type": "number"},
                {
                    "name": "highest_level_of_the_day",
                    "title": "Highest level of the day before, measured",
                    "type": "number",
                    "unit": "cm",
                },
                {"name": "open", "type": "boolean"},
            ],
        }
    ]
}


def _top(found: Locator) -> float:
    box = found.bounding_box()
    assert box is not None
    return box["y"]


def test_the_columns_of_properties_are_chosen_in_one_line(page: Page, stack: Stack) -> None:
    stack.project(PROJECT)
    make_twin(stack, PROJECT, "sensors", _TWIN)
    page.goto(f"/projects/{PROJECT}/jobs/new/?type=digital_twin_update&twin=sensors")
    group = page.get_by_role("group", name="Properties")
    expect(group.locator("select, input")).to_have_count(3)
    labels = group.locator("label").all()
    assert len({box["height"] for each in labels if (box := each.bounding_box())}) > 1
    assert len({_top(each) for each in group.locator("select, input").all()}) == 1


@pytest.mark.parametrize(
    "address", ["", "&patch=%7B%22resources%22%3A%7B%22memory%22%3A%221Gi%22%7D%7D"]
)
def test_the_slider_has_no_border_of_a_wrong_or_changed_field(
    page: Page, stack: Stack, watch: Watch, address: str
) -> None:
    job = stack.submit("true", project=PROJECT)
    pipeline = stack.job(job)["parameters"]["pipeline"]
    memory, slider = page.locator("[name='resources.memory']"), page.get_by_role("slider")
    if address:
        page.goto(f"/projects/{PROJECT}/jobs/new/?from={job}{address}")
        expect(page.locator(".f.marked")).to_contain_text("Memory")
    else:
        page.goto(f"/projects/{PROJECT}/jobs/new/?pipeline={pipeline}")
        watch.expects("status of 400")
        memory.fill("plenty")
        page.get_by_role("button", name="Run pipeline").click()
        expect(page.locator(".f.bad")).to_contain_text("Memory")
    shadow = "node => getComputedStyle(node).boxShadow"
    assert memory.evaluate(shadow) != "none"
    assert slider.evaluate(shadow) == "none"


def test_on_a_phone_the_icon_of_notes_stands_beside_them(
    member: Visit, stack: Stack, tmp_path: Path
) -> None:
    file = tmp_path / "notes.csv"
    file.write_bytes(b'day;amount\n2026-01-02;"1.234,50"\n2026-01-03;n/a\n2026-01-04;"2,5"\n')
    page = member(viewport=PHONE)
    stage(page, stack, file, "notes")
    notes = page.locator(".banner.calm")
    expect(notes).to_contain_text("n/a")
    text, icon = notes.locator("ul").bounding_box(), notes.locator(".i").bounding_box()
    assert text is not None
    assert icon is not None
    assert text["y"] < icon["y"] + icon["height"] / 2 < text["y"] + text["height"]
    assert icon["x"] + icon["width"] <= text["x"]
