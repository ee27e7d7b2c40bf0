"""The form that runs a job: what it keeps, what it says beforehand, and that a job is run once."""

import json
from typing import Any

from playwright.sync_api import Page, expect

from tests.browser.watch import Watch
from tests.support.stack import Stack

PROJECT = "forms"
_DEFINITION = {"steps": [{"id": "say", "uses": "command", "with": {"argv": ["/bin/echo", "it ran"]}}]}


def _form(page: Page, stack: Stack, query: str = "") -> None:
    base = f"/api/v1/projects/{stack.project(PROJECT)}/pipelines/"
    if not stack.call("GET", base).json()["results"]:
        assert stack.call("POST", base, json={"name": "echo", "definition": _DEFINITION}).status_code == 201
    page.goto(f"/projects/{PROJECT}/jobs/new/{query}")


def _jobs(stack: Stack, name: str) -> list[dict[str, Any]]:
    return list(stack.call("GET", f"/api/v1/projects/{PROJECT}/jobs/", params={"q": name}).json()["results"])


def test_a_form_that_is_refused_shows_the_error_at_its_field_and_keeps_what_was_typed(page: Page, stack: Stack, watch: Watch) -> None:
    watch.expects("status of 400")
    _form(page, stack)
    page.get_by_label("Pipeline").select_option("echo")
    typed = {"Name": "refused at first", "Memory": "lots", "CPU": "500m"}
    for label, value in typed.items():
        page.get_by_label(label, exact=False).first.fill(value)
    page.get_by_text("Priority, time limit, attempts, labels").click()
    page.get_by_label("Labels").fill("team=bikes")
    page.get_by_label("Priority").select_option("high")
    page.get_by_role("button", name="Run", exact=True).click()

    summary = page.get_by_role("alert").filter(has_text="Not started")
    expect(summary).to_be_focused()
    memory = page.get_by_label("Memory")
    expect(memory).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#e-memory")).to_contain_text("lots")
    expect(page.locator("[aria-invalid=true]")).to_have_count(1)
    for label, value in typed.items():
        expect(page.get_by_label(label, exact=False).first).to_have_value(value)
    expect(page.get_by_label("Pipeline")).to_have_value("echo")
    expect(page.get_by_label("Labels")).to_have_value("team=bikes")
    expect(page.get_by_label("Priority")).to_have_value("high")
    assert _jobs(stack, "refused at first") == []
    summary.get_by_role("link").click()
    expect(memory).to_be_focused()

    memory.fill("512Mi")
    page.get_by_role("button", name="Run", exact=True).click()
    page.wait_for_url("**/jobs/*-*/")
    made = _jobs(stack, "refused at first")
    assert [(job["labels"], job["priority"], job["resources"]["memory"]) for job in made] == [({"team": "bikes"}, "high", "512Mi")]


def test_it_says_beforehand_what_would_run_and_gives_the_same_request_as_curl(page: Page, stack: Stack, watch: Watch) -> None:
    watch.expects("status of 400.*dry_run")
    _form(page, stack, "?pipeline=echo")
    facts = page.locator("[data-dry]")
    expect(facts).to_contain_text("echo v1")
    page.get_by_label("Memory").fill("1Gi")
    page.get_by_label("Name", exact=False).first.fill("it's mine")
    page.get_by_label("Name", exact=False).first.blur()
    expect(facts).to_contain_text("1 GiB")
    shown = page.locator("#curl").inner_text()
    body = json.loads(shown.split("-d '", 1)[1].removesuffix("'").replace("'\\''", "'"))
    assert body == {"type": "pipeline_execution", "parameters": {"pipeline": "echo"}, "name": "it's mine", "resources": {"memory": "1Gi"}}
    assert stack.described["frontend_url"] + f"/api/v1/projects/{PROJECT}/jobs/" in shown
    page.get_by_label("Memory").fill("heaps")
    page.get_by_label("Memory").blur()
    expect(page.locator("[data-dry-error]")).to_contain_text("resources.memory")
    assert _jobs(stack, "mine") == []


def test_a_button_pressed_twice_runs_one_job_and_its_page_reaches_the_end_by_itself(page: Page, stack: Stack) -> None:
    _form(page, stack, "?pipeline=echo")
    page.get_by_label("Name", exact=False).first.fill("pressed twice")
    page.get_by_role("button", name="Run", exact=True).dblclick()
    page.wait_for_url("**/jobs/*-*/")
    page.evaluate("window.stayed = true")
    expect(page.locator(".st.pill")).to_have_text("Succeeded")
    expect(page).to_have_title("✓ Succeeded: pressed twice · Mimir")
    expect(page.locator("[data-log-rows] .ln > span").filter(has_text="it ran")).to_have_count(1)
    expect(page.locator("[data-log-state]")).to_have_text("complete")
    assert page.evaluate("window.stayed") is True
    assert len(_jobs(stack, "pressed twice")) == 1
