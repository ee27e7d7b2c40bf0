"""Editing a pipeline: the check before saving, an error at its field and line, versions."""

import json
from typing import Any

from playwright.sync_api import Dialog, Locator, Page, expect

from tests.browser.watch import Watch
from tests.support.stack import Stack

PROJECT = "editor"
_NUMBERS = {"id": "numbers", "uses": "sql", "with": {"query": "SELECT 1 AS n"}}
_SAVE = {"id": "save", "uses": "write", "with": {"dataset": "numbers", "from": "numbers"}}


def _text(*steps: dict[str, Any]) -> str:
    return json.dumps({"steps": steps}, indent=2)


def _line(text: str, part: str) -> int:
    return text[: text.index(part)].count("\n") + 1


def _new(page: Page, stack: Stack) -> None:
    page.goto(f"/projects/{stack.project(PROJECT)}/pipelines/new/")


def _steps(page: Page) -> Locator:
    return page.get_by_role("textbox", name="Steps")


def _saved(stack: Stack, name: str) -> list[dict[str, Any]]:
    answer = stack.call("GET", f"/api/v1/projects/{PROJECT}/pipelines/{name}/")
    return list(answer.json()["versions"]) if answer.status_code == 200 else []


def test_the_check_names_the_line_and_the_path_and_saves_nothing(page: Page, stack: Stack) -> None:
    _new(page, stack)
    wrong = _text(_NUMBERS, {**_SAVE, "with": {"dataset": "numbers", "from": "nowhere"}})
    page.get_by_label("Name").fill("checked")
    _steps(page).fill(wrong)
    page.get_by_role("button", name="Check").click()
    fault = page.locator("#faults li")
    line = _line(wrong, '"from"')
    expect(fault).to_have_count(1)
    expect(fault).to_contain_text(f"Line {line}: steps[1].with.from")
    expect(page.locator("[data-gutter] .bad")).to_have_text(f"▸ {line}\n")
    expect(_steps(page)).to_have_value(wrong)
    expect(page.get_by_label("Name")).to_have_value("checked")
    assert _saved(stack, "checked") == []

    fault.get_by_role("link").click()
    selected = page.evaluate(
        "() => { const t = document.activeElement; return t.value.slice(t.selectionStart, "
        "t.selectionEnd); }"
    )
    assert selected.strip() == '"from": "nowhere"'

    _steps(page).fill(_text(_NUMBERS, _SAVE))
    page.get_by_role("button", name="Check").click()
    expect(page.get_by_text("No errors found.")).to_be_visible()
    expect(fault).to_have_count(0)
    expect(page.locator("#graph .node .ttl")).to_have_text(["numbers", "save"])
    assert _saved(stack, "checked") == []


def test_invalid_json_is_shown_at_its_line_without_a_request(page: Page, stack: Stack) -> None:
    _new(page, stack)
    broken = _text(_NUMBERS).replace('"uses": "sql",', '"uses": "sql"')
    _steps(page).fill(broken)
    requests_sent: list[str] = []
    page.on(
        "request",
        lambda request: (
            requests_sent.append(request.url) if request.resource_type != "font" else None
        ),
    )
    page.get_by_role("button", name="Check").click()
    expect(page.locator("#faults li")).to_contain_text(
        f"Line {_line(broken, chr(34) + 'with')}: invalid JSON"
    )
    assert requests_sent == []


def test_an_error_on_saving_is_shown_at_its_field_and_the_text_stays(
    page: Page, stack: Stack, watch: Watch
) -> None:
    watch.expects("status of 400")
    _new(page, stack)
    wrong = _text({**_NUMBERS, "with": {"query": "DROP TABLE x"}})
    page.get_by_label("Name").fill("not a name")
    _steps(page).fill(wrong)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(
        page.get_by_role("alert").filter(has_text="Not saved: nothing was changed")
    ).to_be_focused()
    name = page.get_by_label("Name")
    expect(name).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#e-name")).to_contain_text("letters, digits, dots, dashes and underscores")
    expect(name).to_have_value("not a name")
    expect(_steps(page)).to_have_value(wrong)

    name.fill("mended")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#faults li")).to_contain_text(
        f"Line {_line(wrong, chr(34) + 'query')}: steps[0].with.query"
    )
    expect(_steps(page)).to_have_attribute("aria-invalid", "true")
    expect(name).to_have_value("mended")
    assert _saved(stack, "mended") == []

    _steps(page).fill(_text(_NUMBERS, _SAVE))
    page.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_url("**/pipelines/mended/")
    assert [version["number"] for version in _saved(stack, "mended")] == [1]


def test_a_second_save_creates_version_2_and_version_1_is_unchanged(
    page: Page, stack: Stack
) -> None:
    _new(page, stack)
    first, second = _text(_NUMBERS), _text({**_NUMBERS, "with": {"query": "SELECT 2 AS n"}})
    page.get_by_label("Name").fill("twice")
    _steps(page).fill(first)
    page.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_url("**/pipelines/twice/")
    expect(page.get_by_text("v1, newest")).to_be_visible()

    _steps(page).fill(second)
    page.get_by_role("button", name="Save as version 2").click()
    expect(page.get_by_text("v2, newest")).to_be_visible()
    expect(_steps(page)).to_have_value(second)
    page.get_by_role("link", name="Version 1").click()
    expect(page.get_by_text("This is an older version")).to_be_visible()
    expect(_steps(page)).to_have_value(first)
    assert [version["number"] for version in _saved(stack, "twice")] == [2, 1]


def test_a_concurrent_save_is_not_overwritten(page: Page, stack: Stack, watch: Watch) -> None:
    watch.expects("status of 400")
    base = f"/api/v1/projects/{stack.project(PROJECT)}/pipelines/"
    assert (
        stack.call(
            "POST", base, json={"name": "shared", "definition": {"steps": [_NUMBERS]}}
        ).status_code
        == 201
    )
    page.goto(f"/projects/{PROJECT}/pipelines/shared/")
    assert (
        stack.call(
            "POST", base, json={"name": "shared", "definition": {"steps": [_NUMBERS, _SAVE]}}
        ).status_code
        == 201
    )
    mine = _text({**_NUMBERS, "with": {"query": "SELECT 7 AS n"}})
    _steps(page).fill(mine)
    page.get_by_role("button", name="Save as version 2").click()
    expect(
        page.get_by_role("alert").filter(has_text="Someone saved a newer version")
    ).to_be_visible()
    expect(_steps(page)).to_have_value(mine)
    page.get_by_role("button", name="Save as version 3").click()
    expect(page.get_by_text("v3, newest")).to_be_visible()
    assert len(_saved(stack, "shared")) == 3


def test_leaving_with_unsaved_text_asks_first(page: Page, stack: Stack) -> None:
    _new(page, stack)
    dialogs: list[str] = []

    def dismiss(dialog: Dialog) -> None:
        dialogs.append(dialog.type)
        dialog.dismiss()

    page.on("dialog", dismiss)
    _steps(page).press_sequentially(" ")
    page.get_by_role("link", name="Datasets").click(no_wait_after=True)
    expect(page.get_by_role("heading", name="New pipeline")).to_be_visible()
    assert dialogs == ["beforeunload"]
    page.evaluate(
        "document.querySelector('textarea').value = document.querySelector('textarea').defaultValue"
    )


def test_the_check_says_what_it_checked_and_names_a_column_that_does_not_exist(
    page: Page, stack: Stack
) -> None:
    base = f"/api/v1/projects/{stack.project(PROJECT)}/datasets/"
    uploaded = stack.call(
        "POST",
        base,
        data={"name": "checked-data"},
        files={"file": ("t.csv", b"city,degrees\nOslo,3\n")},
    )
    assert uploaded.status_code == 201, uploaded.content
    read = {"id": "t", "uses": "read", "with": {"dataset": "checked-data"}}
    tool = {"id": "tool", "uses": "command", "with": {"argv": ["true"]}}
    _new(page, stack)
    wrong = _text(read, {"id": "x", "uses": "sql", "with": {"query": "SELECT degres FROM t"}}, tool)
    _steps(page).fill(wrong)
    page.get_by_role("button", name="Check").click()
    fault = page.locator("#faults li")
    expect(fault).to_contain_text(
        f'Line {_line(wrong, chr(34) + "query")}: steps[1].with.query names column "degres"'
    )
    expect(fault).to_contain_text('Did you mean "degrees"?')
    expect(page.locator("[data-summary]")).to_contain_text("You can save it")
    expect(page.locator("[data-summary]")).to_contain_text("Not checked: tool (runs a program")
    expect(page.get_by_text("No errors found.")).to_be_hidden()
    _steps(page).fill(wrong.replace("degres ", "degrees "))
    page.get_by_role("button", name="Check").click()
    expect(page.get_by_text("No errors found.")).to_be_visible()
    expect(page.locator("[data-summary]")).to_contain_text("1 dataset that is read")


def test_save_and_run_saves_and_leads_to_the_running_job(
    page: Page, stack: Stack, watch: Watch
) -> None:
    watch.expects("status of 400")
    _new(page, stack)
    page.get_by_label("Name").fill("at-once")
    _steps(page).fill(_text({**_NUMBERS, "with": {"query": "SELEC 1"}}))
    page.get_by_role("button", name="Save and run").click()
    expect(page.locator("#faults li")).to_contain_text("syntax error")
    expect(_steps(page)).to_have_value(_text({**_NUMBERS, "with": {"query": "SELEC 1"}}))
    _steps(page).fill(_text(_NUMBERS))
    page.get_by_role("button", name="Save and run").click()
    page.wait_for_url("**/jobs/*/")
    job = stack.call("GET", f"/api/v1/jobs/{page.url.rstrip('/').rpartition('/')[2]}/").json()
    assert job["parameters"] == {"pipeline": "at-once", "version": 1}

    page.goto(f"/projects/{PROJECT}/pipelines/at-once/")
    reads = _text({"id": "t", "uses": "read", "with": {"dataset": "nowhere"}})
    _steps(page).fill(reads)
    page.get_by_role("button", name="Save and run").click()
    expect(
        page.get_by_role("status").filter(has_text="Version 2 is saved. The job was not started")
    ).to_contain_text("nowhere")
    expect(_steps(page)).to_have_value(reads)


def test_an_unchanged_definition_is_not_saved_again_and_versions_are_compared(
    page: Page, stack: Stack
) -> None:
    base = f"/api/v1/projects/{stack.project(PROJECT)}/pipelines/"
    for steps in ([_NUMBERS], [_NUMBERS, _SAVE]):
        assert (
            stack.call(
                "POST", base, json={"name": "same", "definition": {"steps": steps}}
            ).status_code
            == 201
        )
    page.goto(f"/projects/{PROJECT}/pipelines/same/")
    page.get_by_role("button", name="Save as version 3").click()
    expect(page.get_by_text("No changes: version 2 is current.")).to_be_visible()
    assert len(_saved(stack, "same")) == 2
    page.get_by_role("link", name="Compare v1 with v2").click()
    expect(page.get_by_role("heading", name="Changes from version 1 to version 2")).to_be_visible()
    expect(page.locator("pre.diff .added").filter(has_text='"id": "save"')).to_be_visible()
    expect(page.get_by_text("removed", exact=False)).to_contain_text("added, 0 removed")
