"""The form of a new job displays the expected start, and offers changes for an earlier start."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, Route, expect

from jobs.core.resources import parse_memory
from mimir.lib.formatting import memory_text
from tests.browser.conftest import Visit
from tests.support.stack import Stack

PROJECT = "what-if"
_DEFINITION = {
    "steps": [{"id": "say", "uses": "command", "with": {"argv": ["/bin/echo", "it ran"]}}]
}


CLUSTER = "/api/v1/clusters/local/"
TOO_MUCH, LARGEST = "300Gi", "200 GiB"


@pytest.fixture
def form(stack: Stack) -> Iterator[str]:
    """Return the URL of the form with a pipeline. The cluster has 200 GiB of memory."""
    memory = {"capacity": {"memory": "200Gi"}}
    assert stack.call("PATCH", CLUSTER, json=memory).status_code == 200
    base = f"/api/v1/projects/{stack.project(PROJECT)}/pipelines/"
    saved = stack.call("POST", base, json={"name": "echo", "definition": _DEFINITION})
    assert saved.status_code in (200, 201)
    yield f"/projects/{PROJECT}/jobs/new/?pipeline=echo"
    stack.call("PATCH", CLUSTER, json={"capacity": {"memory": None}})


def test_a_change_that_starts_a_job_fills_its_field(page: Page, form: str) -> None:
    page.goto(form)
    line, memory = page.locator("#start"), page.locator("[name='resources.memory']")
    expect(line).to_contain_text("on local")
    memory.press_sequentially(TOO_MUCH)  # the result appears without leaving the field
    expect(line).to_contain_text("Cannot start: requests")
    expect(memory).to_be_focused()
    expect(memory).to_have_value(TOO_MUCH)
    line.get_by_role("button", name=LARGEST).click()
    expect(memory).to_be_focused()
    assert memory_text(parse_memory(memory.input_value())) == LARGEST
    expect(line).not_to_contain_text("Cannot start")
    expect(line.get_by_role("button")).to_have_count(0)
    expect(page.locator("#curl")).to_contain_text(memory.input_value())


def test_a_slider_fills_the_memory_and_follows_it(page: Page, form: str) -> None:
    page.goto(form)
    slider, memory = page.get_by_role("slider"), page.locator("[name='resources.memory']")
    memory.fill("1Gi")
    expect(slider).to_have_value("10")
    slider.focus()
    page.keyboard.press("ArrowLeft")
    expect(memory).to_have_value("512Mi")
    expect(slider).to_have_attribute("aria-valuetext", "512 MiB")
    expect(page.locator("#curl")).to_contain_text("512Mi")
    expect(slider).to_be_focused()
    memory.fill("heaps")
    expect(slider).to_have_value("9")
    default = slider.get_attribute("data-default")
    memory.fill("")
    expect(slider).to_have_value(default or "")
    expect(page.locator("#start")).to_contain_text("on local")


def test_the_line_keeps_its_place_while_answers_arrive(page: Page, form: str) -> None:
    page.goto(f"/projects/{PROJECT}/jobs/new/")
    line = page.locator("#start")
    expect(line).to_contain_text("Fill in the required fields")
    height = page.locator("#fields").bounding_box()
    page.get_by_role("combobox", name="Pipeline").select_option("echo")
    expect(line).to_contain_text("on local")
    assert page.locator("#fields").bounding_box() == height
    page.locator("[name='resources.memory']").fill(TOO_MUCH)
    expect(line.get_by_role("button", name=LARGEST)).to_be_visible()
    assert page.locator("#fields").bounding_box() == height


def test_a_refused_forecast_is_requested_again(page: Page, form: str) -> None:
    """The orchestrator explains only one request at a time."""
    asked: list[str] = []

    def answer(route: Route) -> None:
        response = route.fetch()
        asked.append(route.request.method)
        busy = response.text().replace('id="start"', 'id="start" data-retry="1"')
        route.fulfill(response=response, body=busy if len(asked) == 1 else response.text())

    page.goto(form)
    line = page.locator("#start")
    expect(line).to_contain_text("on local")
    page.route("**/jobs/new/**", answer)
    page.locator("[name='resources.memory']").fill("512Mi")
    expect(line).to_have_attribute("data-retry", "1")
    expect(line).not_to_have_attribute("data-retry", "1")
    assert len(asked) > 1


def test_enter_runs_the_job_and_makes_no_proposed_change(
    page: Page, stack: Stack, form: str
) -> None:
    page.goto(form)
    page.locator("[name='resources.memory']").fill(TOO_MUCH)
    expect(page.get_by_role("button", name=LARGEST)).to_be_visible()
    page.locator("[name='resources.memory']").fill("512Mi")
    page.locator("#f-name").fill("entered")
    page.keyboard.press("Enter")
    page.wait_for_url("**/jobs/*-*/")
    job = page.url.rstrip("/").rsplit("/", 1)[1]
    assert stack.job(job)["resources"]["memory"] == "512Mi"


def test_without_script_a_change_is_a_button_and_the_slider_is_absent(
    member: Visit, form: str
) -> None:
    page = member(java_script_enabled=False)
    page.goto(form)
    expect(page.get_by_role("slider")).to_have_count(0)
    memory = page.locator("[name='resources.memory']")
    memory.fill(TOO_MUCH)
    page.locator("#f-name").fill("kept")
    page.get_by_role("button", name="Show its fields").first.click()
    expect(page.locator("#start")).to_contain_text("Cannot start: requests")
    page.get_by_role("button", name=LARGEST).click()
    assert memory_text(parse_memory(memory.input_value())) == LARGEST
    expect(page.locator("#f-name")).to_have_value("kept")
    expect(page.locator("#start")).not_to_contain_text("Cannot start")
