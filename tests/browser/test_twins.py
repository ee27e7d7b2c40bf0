"""Twins: a definition from an example, edits with a note, history, revisions and what they changed."""  # noqa: E501

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit
from tests.browser.watch import Watch
from tests.support.stack import Stack
from tests.support.twins import edit_entity, make_twin, update_twin

PROJECT = "twinned"
STRANGE = "a/b?c&d=1 <i>ü</i>"
_DEFINITION: dict[str, Any] = {
    "types": [
        {
            "name": "pump",
            "title": "Pump",
            "key": {"name": "pump_id"},
            "properties": [
                {"name": "flow", "title": "Flow", "type": "number", "unit": "l/s"},
                {"name": "open", "title": "Open", "type": "boolean"},
                {"name": "label", "type": "string"},
            ],
            "relations": [{"name": "feeds", "title": "Feeds", "to": "pump"}],
        }
    ]
}


def _csv(flow: float, *, without: str = "") -> str:
    rows = [
        ("P1", flow, True, "first", "P2"),
        ("P2", 20.0, False, "second", ""),
        (STRANGE, 3.0, True, "third", "P1"),
    ]
    lines = [
        f'"{key}",{value},{is_open},{label},{feeds}'
        for key, value, is_open, label, feeds in rows
        if key != without
    ]
    return "\n".join(["pump_id,flow,open,label,feeds", *lines]) + "\n"


@pytest.fixture(scope="module")
def pumps(stack: Stack) -> str:
    """Return the path of a twin of three pumps, updated twice, with an edit in between.

    Revision 3 marks P2 as missing.
    """
    stack.project(PROJECT)
    make_twin(stack, PROJECT, "pumps", _DEFINITION)
    update_twin(stack, PROJECT, "pumps", _csv(10.0), type="pump", key="pump_id")
    edit_entity(stack, PROJECT, "pumps", "pump", "P2", {"flow": 21.5}, "gauge was read")
    update_twin(
        stack,
        PROJECT,
        "pumps",
        _csv(12.5, without="P2"),
        type="pump",
        key="pump_id",
        missing="mark",
    )
    return f"/projects/{PROJECT}/twins/pumps/"


def _entity(pumps: str, key: str, **query: str) -> str:
    return f"{pumps}entity/?{urlencode({'type': 'pump', 'key': key, **query})}"


def test_create_a_twin_from_the_columns_of_a_dataset(
    page: Page, stack: Stack, watch: Watch
) -> None:
    watch.expects("status of 400")
    data = {"name": "readings"}
    content = b"sensor_id,day,value,ok\n1,2026-01-01,1.5,true\n"
    stack.project("twin-maker")
    assert (
        stack.call(
            "POST",
            "/api/v1/projects/twin-maker/datasets/",
            data=data,
            files={"file": ("a.csv", content)},
        ).status_code
        == 201
    )
    page.goto("/projects/twin-maker/twins/")
    expect(page.get_by_text("No twin yet")).to_be_visible()
    page.get_by_role("link", name="Create one from an example").click()
    page.get_by_label("Dataset", exact=True).select_option("readings")
    page.get_by_role("button", name="Fill in").click()
    editor = page.get_by_role("textbox", name="Entity types")
    kind = json.loads(editor.input_value())["types"][0]
    assert (kind["key"]["name"], {one["name"]: one["type"] for one in kind["properties"]}) == (
        "sensor_id",
        {"day": "date", "value": "number", "ok": "boolean"},
    )

    right = editor.input_value()
    wrong = right.replace('"number"', '"float"')
    editor.fill(wrong)
    page.get_by_role("button", name="Check").click()
    line = wrong[: wrong.index('"float"')].count("\n") + 1
    expect(page.locator("#faults li")).to_contain_text(f"Line {line}: types[0].properties[1].type")
    page.get_by_label("Name").fill("sensors")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(
        page.get_by_role("alert").filter(has_text="Not saved: nothing was changed")
    ).to_be_focused()
    expect(page.locator("#faults li")).to_contain_text(f"Line {line}: types[0].properties[1].type")
    editor.fill(right)
    page.get_by_role("button", name="Check").click()
    expect(page.get_by_text("No errors found.")).to_be_visible()
    page.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_url("**/twins/sensors/")
    expect(page.get_by_text("No entity of this type yet")).to_be_visible()
    expect(page.get_by_role("link", name="Update twin").first).to_have_attribute(
        "href", "/projects/twin-maker/jobs/new/?type=digital_twin_update&twin=sensors"
    )


def test_a_concurrent_change_is_shown_and_not_overwritten(
    page: Page, stack: Stack, watch: Watch
) -> None:
    watch.expects("status of 400")
    make_twin(stack, stack.project("twin-shared"), "shared", _DEFINITION)
    page.goto("/projects/twin-shared/twins/shared/definition/")
    theirs = json.loads(json.dumps(_DEFINITION).replace('"Pump"', '"Their pump"'))
    path = "/api/v1/projects/twin-shared/twins/shared/"
    assert stack.call("PUT", f"{path}definition/", json={"definition": theirs}).status_code == 200
    editor = page.get_by_role("textbox", name="Entity types")
    mine = editor.input_value().replace('"Pump"', '"My pump"')
    editor.fill(mine)
    page.get_by_role("button", name="Save as definition 2").click()
    expect(
        page.get_by_role("alert").filter(has_text="Someone saved definition 2 while you edited")
    ).to_be_visible()
    expect(page.get_by_label("Definition 2")).to_contain_text("Their pump")
    expect(editor).to_have_value(mine)
    page.get_by_role("button", name="Save as definition 3").click()
    page.wait_for_url("**/twins/shared/")
    found = stack.call("GET", path).json()
    assert (found["definition_number"], found["definition"]["types"][0]["title"]) == (3, "My pump")


def test_another_unit_for_values_is_saved_only_after_a_choice(
    page: Page, stack: Stack, watch: Watch
) -> None:
    watch.expects("status of 400")
    project = stack.project("twin-units")
    make_twin(stack, project, "units", _DEFINITION)
    update_twin(stack, project, "units", _csv(10.0), type="pump", key="pump_id")
    page.goto(f"/projects/{project}/twins/units/definition/")
    editor = page.get_by_role("textbox", name="Entity types")
    editor.fill(editor.input_value().replace('"l/s"', '"l/min"'))
    page.get_by_role("button", name="Save as definition 2").click()
    expect(page.locator("[data-faults]")).to_contain_text(
        "3 values were given in l/s. Saving does not convert them to l/min"
    )
    expect(page.get_by_role("button", name="Save and remove the values")).to_be_visible()
    page.get_by_role("button", name="Save and keep the numbers").click()
    page.wait_for_url("**/twins/units/")
    found = stack.call("GET", f"/api/v1/projects/{project}/twins/units/").json()
    assert found["definition"]["types"][0]["properties"][0]["unit"] == "l/min"


def test_the_entities_of_a_twin_with_units_edits_and_what_is_missing(
    page: Page, pumps: str
) -> None:
    page.goto(pumps)
    expect(page.get_by_role("columnheader")).to_have_text(
        ["Key", "Flow l/s", "Open", "label", "Feeds", "Revision"]
    )
    row = page.get_by_role("row").filter(
        has=page.get_by_role("link", name="P2", exact=True).and_(page.locator("th a"))
    )
    expect(row.get_by_role("rowheader")).to_contain_text("missing")
    expect(row.get_by_role("cell").first).to_have_text("edited: 21.5")
    page.get_by_label("Search by key").fill("P1")
    page.get_by_role("button", name="Find").click()
    expect(page.locator("tbody tr")).to_have_count(1)
    page.goto(f"{pumps}?at=1")
    expect(page.get_by_text("Entities at revision 1")).to_be_visible()
    old = page.get_by_role("row").filter(has=page.locator("th a").get_by_text("P2", exact=True))
    expect(old.get_by_role("cell").first).to_have_text("20")
    expect(old.get_by_role("rowheader")).to_have_text("P2")


def test_a_key_of_any_characters_opens_and_can_be_edited(page: Page, pumps: str) -> None:
    page.goto(pumps)
    page.get_by_role("link", name=STRANGE).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(STRANGE)
    page.get_by_role("link", name="Edit values").click()
    page.get_by_role("textbox", name="label").fill("renamed")
    page.get_by_role("button", name="Save values").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(STRANGE)
    expect(page.get_by_role("row", name="label")).to_contain_text("renamed")
    page.get_by_role("button", name="Remove edit of label").click()
    expect(page.get_by_role("row", name="label")).not_to_contain_text("renamed")


@pytest.mark.parametrize("script", [True, False], ids=["with script", "without script"])
def test_edit_a_value_with_a_note_read_its_history_and_remove_it(
    member: Visit, pumps: str, stack: Stack, watch: Watch, script: bool
) -> None:
    watch.expects("status of 400")
    page = member(java_script_enabled=script)
    before = stack.call("GET", f"/api/v1{pumps}").json()["revision"]
    page.goto(_entity(pumps, "P1"))
    flow = page.get_by_role("row", name="Flow")
    expect(flow).to_contain_text("12.5 l/s")
    expect(flow.get_by_role("link", name="pumps-data v2")).to_have_attribute(
        "href", f"/projects/{PROJECT}/datasets/pumps-data/?version=2"
    )
    expect(page.get_by_role("link", name="P2", exact=True).first).to_have_attribute(
        "href", f"{pumps}entity/?type=pump&key=P2"
    )

    page.get_by_role("link", name="Edit values").click()
    page.get_by_role("textbox", name="Flow").fill("plenty")
    page.get_by_role("textbox", name="Note").fill("read by hand")
    page.get_by_role("button", name="Save values").click()
    expect(page.get_by_role("textbox", name="Flow")).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#e-v-flow")).to_contain_text("Must be a number")
    expect(page.get_by_role("textbox", name="Note")).to_have_value("read by hand")
    page.get_by_role("textbox", name="Flow").fill("14.25")
    page.get_by_label("Open").select_option("no")
    page.get_by_role("button", name="Save values").click()

    expect(flow.locator("td").nth(1)).to_have_text("14.25 l/s reported: 12.5")
    expect(flow).to_contain_text("“read by hand”")
    expect(page.get_by_role("row", name="Open").locator("td").nth(1)).to_have_text(
        "no reported: yes"
    )
    revision = page.locator(".hist li").first
    expect(revision).to_contain_text("14.25")
    assert stack.call("GET", f"/api/v1{pumps}").json()["revision"] == before + 1

    page.goto(_entity(pumps, "P1", property="flow"))
    page.locator("details.numbers summary").click()
    values = page.get_by_role("region", name="Values of Flow").locator("tbody tr")
    expect(values.first).to_contain_text("14.25")
    expect(values.last).to_contain_text("10")

    page.goto(f"{pumps}revisions/{before + 1}/")
    expect(page.get_by_role("row").filter(has_text="P1")).to_contain_text("14.25")
    page.get_by_role("link", name="Compare other revisions").click()
    page.get_by_label("From revision").fill("1")
    page.get_by_label("To revision").fill("3")
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("From revision 1 to 3")
    changed = page.get_by_role("row").filter(has=page.get_by_role("link", name="P1", exact=True))
    expect(changed.locator("del")).to_have_text("before 10")
    expect(changed.locator("ins")).to_have_text("now 12.5")

    page.goto(_entity(pumps, "P1"))
    for title in ("Flow", "Open"):
        page.get_by_role("button", name=f"Remove edit of {title}").click()
        expect(page.get_by_role("button", name=f"Remove edit of {title}")).to_have_count(0)
    expect(flow.locator("td").nth(1)).to_have_text("12.5 l/s")
    expect(page.locator(".hist li").first).to_contain_text("edit removed")
    assert stack.call("GET", f"/api/v1{pumps}").json()["revision"] == before + 3
