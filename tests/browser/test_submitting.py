"""The form of a new job: kept input, displayed checks, and a single submission."""

import json
from typing import Any

from playwright.sync_api import Page, expect

from tests.browser.watch import Watch
from tests.support.stack import Stack

PROJECT = "forms"
_DEFINITION = {
    "steps": [{"id": "say", "uses": "command", "with": {"argv": ["/bin/echo", "it ran"]}}]
}


def _form(page: Page, stack: Stack, query: str = "") -> None:
    base = f"/api/v1/projects/{stack.project(PROJECT)}/pipelines/"
    if not stack.call("GET", base).json()["results"]:
        assert (
            stack.call("POST", base, json={"name": "echo", "definition": _DEFINITION}).status_code
            == 201
        )
    page.goto(f"/projects/{PROJECT}/jobs/new/{query}")


def _jobs(stack: Stack, name: str) -> list[dict[str, Any]]:
    return list(
        stack.call("GET", f"/api/v1/projects/{PROJECT}/jobs/", params={"q": name}).json()["results"]
    )


def test_a_form_that_is_refused_shows_the_errors_at_their_fields_and_keeps_what_was_typed(
    page: Page, stack: Stack, watch: Watch
) -> None:
    watch.expects("status of 400")
    _form(page, stack)
    page.get_by_role("combobox", name="Pipeline").select_option("echo")
    typed = {"name": "refused at first", "resources.memory": "lots", "resources.cpu": "500m"}
    for name, value in typed.items():
        page.locator(f"[name='{name}']").fill(value)
    page.get_by_text("Priority, time limit, attempts, labels").click()
    page.get_by_label("Labels").fill("team=bikes")
    page.get_by_role("radio", name="high").check()
    page.get_by_label("Time limit").fill("soon")
    page.get_by_role("button", name="Run pipeline").click()

    summary = page.get_by_role("alert").filter(has_text="Not started: fix 1 field")
    expect(summary).to_be_focused()
    expect(page.locator("[id='e-timeout_seconds']")).to_have_text(
        '"soon" is not valid. Enter whole seconds, for example 1800 for half an hour.'
    )
    expect(page.get_by_label("Time limit")).to_have_attribute("aria-invalid", "true")
    page.get_by_label("Time limit").fill("600")
    page.get_by_role("button", name="Run pipeline").click()

    summary = page.get_by_role("alert").filter(has_text="Not started: fix 1 field")
    expect(summary).to_be_focused()
    memory = page.locator("[name='resources.memory']")
    expect(memory).to_have_attribute("aria-invalid", "true")
    expect(page.locator("[id='e-resources.memory']")).to_contain_text("lots")
    expect(page.locator("[aria-invalid=true]")).to_have_count(1)
    for name, value in typed.items():
        expect(page.locator(f"[name='{name}']")).to_have_value(value)
    expect(page.get_by_role("combobox", name="Pipeline")).to_have_value("echo")
    expect(page.get_by_label("Labels")).to_have_value("team=bikes")
    expect(page.get_by_role("radio", name="high")).to_be_checked()
    assert _jobs(stack, "refused at first") == []
    summary.get_by_role("link", name="Memory").click()
    expect(memory).to_be_focused()

    memory.fill("512Mi")
    page.get_by_role("button", name="Run pipeline").click()
    page.wait_for_url("**/jobs/*-*/")
    created = _jobs(stack, "refused at first")
    assert [(job["labels"], job["priority"], job["resources"]["memory"]) for job in created] == [
        ({"team": "bikes"}, "high", "512Mi")
    ]


def _curl(page: Page) -> Any:
    """Return the request body that the page displays."""
    return json.loads(
        page.locator("#curl")
        .inner_text()
        .split("-d '", 1)[1]
        .removesuffix("'")
        .replace("'\\''", "'")
    )


def test_it_shows_the_planned_run_and_the_same_request_as_curl(page: Page, stack: Stack) -> None:
    _form(page, stack, "?pipeline=echo")
    facts = page.locator("[data-dry]")
    expect(facts).to_contain_text("echo v1")
    page.locator("[name='resources.memory']").fill("1Gi")
    page.locator("[name=name]").fill("it's mine")
    page.locator("[name=name]").blur()
    expect(facts).to_contain_text("1 GiB")
    expect(page.locator("#curl")).to_contain_text("mine")
    assert _curl(page) == {
        "type": "pipeline_execution",
        "parameters": {"pipeline": "echo"},
        "name": "it's mine",
        "resources": {"memory": "1Gi"},
    }
    assert (
        stack.described["frontend_url"] + f"/api/v1/projects/{PROJECT}/jobs/"
        in page.locator("#curl").inner_text()
    )
    page.locator("[name='resources.memory']").fill("heaps")
    page.locator("[name='resources.memory']").blur()
    expect(page.locator("[data-dry-error]")).to_contain_text("Memory")
    expect(page.locator("[aria-invalid=true]")).to_have_count(0)
    assert _jobs(stack, "mine") == []


def test_a_choice_updates_its_dependent_fields_and_keeps_typed_text(
    page: Page, stack: Stack
) -> None:
    base = f"/api/v1/projects/{stack.project(PROJECT)}/datasets/"
    files = {"file": ("trips.csv", b"rides,hour,note\n1,2,a\n3,4,b\n")}
    assert stack.call("POST", base, data={"name": "trips"}, files=files).status_code == 201
    _form(page, stack, "?type=ml_training")
    page.evaluate("window.stayed = true")
    dataset = page.get_by_role("combobox", name="Dataset")
    target = page.get_by_role("combobox", name="Target")
    page.get_by_role("textbox", name="Model", exact=True).fill("demand")
    page.get_by_label("Seed").evaluate("(one) => { one.closest('details').open = true; }")
    dataset.focus()
    page.keyboard.type("trips")
    expect(target.locator("option")).to_have_text(
        ["Choose one", "rides (bigint)", "hour (bigint)", "note (varchar)"]
    )
    expect(dataset).to_be_focused()
    target.select_option("rides")
    for group in ("features", "exclude"):
        expect(page.locator(f"[name='parameters.{group}'][value=rides]")).to_be_disabled()
    page.locator("[name='parameters.features'][value=hour]").check()
    page.locator("[name='parameters.exclude'][value=note]").check()
    expect(page.locator("[name='parameters.task'][value='']")).to_be_checked()
    expect(
        page.locator("label", has=page.locator("[name='parameters.task'][value='']"))
    ).to_have_text("Automatic")
    page.get_by_role("radio", name="random_forest").check()
    page.locator("[name='parameters.hyperparameters.n_estimators']").fill("7")
    expect(page.get_by_label("Features at a split").locator("option:checked")).to_have_text(
        "Automatic: sqrt for classification, all for regression"
    )
    page.get_by_label("Seed").fill("42")
    page.get_by_label("Seed").blur()
    expect(page.locator("#curl")).to_contain_text('"seed": 42')
    parameters = {
        "dataset": "trips",
        "target": "rides",
        "features": ["hour"],
        "exclude": ["note"],
        "model": "demand",
        "algorithm": "random_forest",
        "hyperparameters": {"n_estimators": 7},
        "seed": 42,
    }
    assert _curl(page) == {"type": "ml_training", "parameters": parameters}
    expect(page.locator("[data-dry]")).to_contain_text("a version of model demand")
    page.locator("label", has_text="Prediction").click()
    expect(page.get_by_label("Output")).to_be_visible()
    expect(dataset).to_have_value("trips")
    page.locator("label", has_text="Training").click()
    expect(page.get_by_role("textbox", name="Model", exact=True)).to_be_visible()
    assert page.evaluate("window.stayed") is True


def test_a_button_pressed_twice_runs_one_job_and_its_page_reaches_the_end_by_itself(
    page: Page, stack: Stack
) -> None:
    _form(page, stack, "?pipeline=echo")
    page.locator("[name=name]").fill("pressed twice")
    page.get_by_role("button", name="Run pipeline").dblclick()
    page.wait_for_url("**/jobs/*-*/")
    page.evaluate("window.stayed = true")
    expect(page.locator(".st.pill")).to_have_text("Succeeded")
    expect(page).to_have_title("✓ Succeeded: pressed twice · Mimir")
    expect(page.locator("[data-log-rows] .ln > span").filter(has_text="it ran")).to_have_count(1)
    expect(page.locator("[data-log-state]")).to_have_text("complete")
    assert page.evaluate("window.stayed") is True
    assert len(_jobs(stack, "pressed twice")) == 1
