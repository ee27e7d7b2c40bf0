"""Recommended limits from measured runs: on the form, on an ended job's page, and automatically."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit
from tests.support.stack import Stack

PROJECT = "sized"
_MEMORY = re.compile(r"^[0-9]+(Mi|Gi)$")
_USED = re.compile(r"[0-9]+ of [0-9]+ runs used at most")


@pytest.fixture(scope="module")
def runs(stack: Stack) -> tuple[str, str]:
    """Return the name and last job of a pipeline with three measured runs and default limits."""
    job = stack.submit("echo measured; sleep 0.5", project=PROJECT)
    pipeline = str(stack.end_of(job)["parameters"]["pipeline"])
    body = {"type": "pipeline_execution", "parameters": {"pipeline": pipeline}}
    for _ in range(2):
        job = stack.call("POST", f"/api/v1/projects/{PROJECT}/jobs/", json=body).json()["id"]
        assert stack.end_of(job)["status"] == "succeeded"
    return pipeline, job


@pytest.mark.parametrize("script", [True, False])
def test_the_form_fills_in_the_memory_that_fits_earlier_runs(
    member: Visit, runs: tuple[str, str], script: bool
) -> None:
    page = member(java_script_enabled=script)
    page.goto(f"/projects/{PROJECT}/jobs/new/?pipeline={runs[0]}")
    page.locator("#f-name").fill("typed before")
    expect(page.locator("#recommended")).to_contain_text(_USED)
    page.get_by_role("button", name=re.compile("^Use .* MiB$")).click()
    memory = page.locator("[name='resources.memory']")
    expect(memory).to_have_value(_MEMORY)
    expect(page.locator("#f-name")).to_have_value("typed before")
    expect(page.get_by_role("button", name=re.compile("^Use .* MiB$"))).to_have_count(0)
    expect(page.locator("[data-dry]")).to_contain_text("MiB")


def test_the_form_shows_the_recommendation_of_the_chosen_pipeline(
    page: Page, runs: tuple[str, str]
) -> None:
    page.goto(f"/projects/{PROJECT}/jobs/new/")
    expect(page.get_by_role("heading", name="Run a job")).to_be_visible()
    expect(page.locator("#recommended")).to_have_text(re.compile(r"^\s*$"))
    page.get_by_role("combobox", name="Pipeline").select_option(runs[0])
    expect(page.locator("#recommended")).to_contain_text(_USED)


def test_the_page_of_an_ended_job_leads_to_the_form_with_the_recommended_memory(
    page: Page, runs: tuple[str, str]
) -> None:
    page.goto(f"/jobs/{runs[1]}/")
    card = page.locator("#job-memory")
    expect(card).to_contain_text(_USED)
    card.get_by_role("link", name=re.compile("^Run again with")).click()
    expect(page.locator("[name='resources.memory']")).to_have_value(_MEMORY)
    expect(page.locator(".f.marked")).to_contain_text("Memory")


def test_a_project_with_automatic_resources_names_the_source_of_the_limits(
    page: Page, stack: Stack, runs: tuple[str, str]
) -> None:
    page.goto(f"/projects/{PROJECT}/settings/")
    page.get_by_label("Automatic resources").check()
    with page.expect_navigation():
        page.get_by_role("button", name="Save").click()
    expect(page.get_by_label("Automatic resources")).to_be_checked()
    page.goto(f"/projects/{PROJECT}/jobs/new/?pipeline={runs[0]}")
    expect(page.locator("#recommended")).to_contain_text("Automatic: memory")
    page.get_by_role("button", name="Run pipeline").click()
    page.wait_for_url("**/jobs/*-*/")
    source = re.compile("memory [0-9]+ MiB.*: recommended from [0-9]+ runs")
    expect(page.locator("#job-request")).to_contain_text(source)
    expect(page.locator("#job-history")).to_contain_text(source)
    job = stack.end_of(page.url.rstrip("/").rsplit("/", 1)[1])
    assert job["status"] == "succeeded", job["message"]
    stack.call("PATCH", f"/api/v1/projects/{PROJECT}/", json={"automatic_resources": False})
