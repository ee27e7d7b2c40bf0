"""The form that runs a job says when it would start, and offers changes that start it sooner."""

import pytest
from playwright.sync_api import Page, expect

from jobs.core.resources import format_memory, parse_memory
from mimir.lib.formatting import memory_text
from tests.browser.conftest import Visit
from tests.support.stack import Stack

PROJECT = "what-if"
_DEFINITION = {
    "steps": [{"id": "say", "uses": "command", "with": {"argv": ["/bin/echo", "it ran"]}}]
}


@pytest.fixture
def form(stack: Stack) -> str:
    """The address of the form with a pipeline."""
    base = f"/api/v1/projects/{stack.project(PROJECT)}/pipelines/"
    saved = stack.call("POST", base, json={"name": "echo", "definition": _DEFINITION})
    assert saved.status_code in (201, 409)
    return f"/projects/{PROJECT}/jobs/new/?pipeline=echo"


def _too_much(stack: Stack) -> tuple[str, str]:
    """Memory that no cluster has, and half of it, which one has."""
    capacity = parse_memory(
        stack.call("GET", "/api/v1/clusters/local/").json()["capacity"]["memory"]
    )
    half = capacity * 3 // 4 // 2**20 * 2**20
    return format_memory(2 * half), memory_text(half)


def test_a_change_that_starts_a_job_fills_its_field(page: Page, stack: Stack, form: str) -> None:
    asked, half = _too_much(stack)
    page.goto(form)
    line, memory = page.get_by_role("status"), page.get_by_label("Memory")
    expect(line).to_contain_text("on local")
    memory.press_sequentially(asked)  # the answer comes without leaving the field
    expect(line).to_contain_text("Cannot start: requests")
    expect(memory).to_be_focused()
    expect(memory).to_have_value(asked)
    line.get_by_role("button", name=half).click()
    expect(memory).to_be_focused()
    assert memory_text(parse_memory(memory.input_value())) == half
    expect(line).not_to_contain_text("Cannot start")
    expect(line.get_by_role("button")).to_have_count(0)
    expect(page.locator("#curl")).to_contain_text(memory.input_value())


def test_a_slider_fills_the_memory_and_follows_it(page: Page, form: str) -> None:
    page.goto(form)
    slider, memory = page.get_by_role("slider"), page.get_by_label("Memory")
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
    expect(page.get_by_role("status")).to_contain_text("on local")


def test_the_line_keeps_its_place_while_answers_arrive(page: Page, stack: Stack, form: str) -> None:
    asked, half = _too_much(stack)
    page.goto(f"/projects/{PROJECT}/jobs/new/")
    line = page.get_by_role("status")
    expect(line).to_contain_text("Fill in the required fields")
    height = page.locator("#fields").bounding_box()
    page.get_by_role("combobox", name="Pipeline").select_option("echo")
    expect(line).to_contain_text("on local")
    assert page.locator("#fields").bounding_box() == height
    page.get_by_label("Memory").fill(asked)
    expect(line.get_by_role("button", name=half)).to_be_visible()
    assert page.locator("#fields").bounding_box() == height


def test_enter_runs_the_job_and_makes_no_proposed_change(
    page: Page, stack: Stack, form: str
) -> None:
    asked, half = _too_much(stack)
    page.goto(form)
    page.get_by_label("Memory").fill(asked)
    expect(page.get_by_role("button", name=half)).to_be_visible()
    page.get_by_label("Memory").fill("512Mi")
    page.locator("#f-name").fill("entered")
    page.keyboard.press("Enter")
    page.wait_for_url("**/jobs/*-*/")
    job = page.url.rstrip("/").rsplit("/", 1)[1]
    assert stack.job(job)["resources"]["memory"] == "512Mi"


def test_without_script_a_change_is_a_button_and_the_slider_is_absent(
    member: Visit, stack: Stack, form: str
) -> None:
    asked, half = _too_much(stack)
    page = member(java_script_enabled=False)
    page.goto(form)
    expect(page.get_by_role("slider")).to_have_count(0)
    memory = page.get_by_label("Memory")
    memory.fill(asked)
    page.locator("#f-name").fill("kept")
    page.get_by_role("button", name="Show its fields").first.click()
    expect(page.get_by_role("status")).to_contain_text("Cannot start: requests")
    page.get_by_role("button", name=half).click()
    assert memory_text(parse_memory(memory.input_value())) == half
    expect(page.locator("#f-name")).to_have_value("kept")
    expect(page.get_by_role("status")).not_to_contain_text("Cannot start")
