"""Time of a job by phase, and its comparison with the last successful run."""

import re
from typing import Any

from playwright.sync_api import Page, expect

from tests.support.stack import Stack

_STEPS: list[dict[str, Any]] = [
    {"id": "numbers", "uses": "sql", "with": {"query": "SELECT * FROM range(10)"}},
    {"id": "rest", "uses": "command", "with": {"argv": ["sleep", "1.2"]}},
]


def _run(stack: Stack, steps: list[dict[str, Any]], **fields: Any) -> str:
    """Save a version of a pipeline, run it and return the id of the ended job."""
    project = stack.project("timed")
    definition = {"name": "timed", "definition": {"steps": steps}}
    saved = stack.call("POST", f"/api/v1/projects/{project}/pipelines/", json=definition)
    assert saved.status_code in (200, 201), saved.text
    body = {"type": "pipeline_execution", "parameters": {"pipeline": "timed"}, **fields}
    made = stack.call("POST", f"/api/v1/projects/{project}/jobs/", json=body)
    job = str(made.json()["id"])
    stack.end_of(job)
    return job


def test_the_time_of_a_job_is_shown_by_step(page: Page, stack: Stack) -> None:
    job = _run(stack, _STEPS)
    page.goto(f"/jobs/{job}/")
    card = page.locator("#job-time")
    expect(card.get_by_role("img", name=re.compile("Step rest 1.. s"))).to_be_visible()
    expect(card.get_by_role("listitem").filter(has_text="Step rest")).to_contain_text("%")
    numbers = card.get_by_role("group", name="Time by cause")
    expect(numbers).to_be_hidden()
    card.get_by_text("Show numbers").click()
    expect(numbers.get_by_role("row").filter(has_text="Waiting in the queue")).to_be_visible()
    expect(numbers.get_by_role("row").last).to_contain_text("Submit to end")
    body = stack.call("GET", f"/api/v1/jobs/{job}/time/").json()
    steps = [phase["detail"] for phase in body["phases"] if phase["cause"] == "step"]
    assert steps == ["numbers", "rest"]
    assert round(sum(phase["seconds"] for phase in body["phases"]), 6) == body["seconds"]


def test_a_failed_job_is_compared_with_the_last_successful_run(page: Page, stack: Stack) -> None:
    good = _run(stack, _STEPS)
    fails = {"id": "rest", "uses": "command", "with": {"argv": ["sh", "-c", "exit 3"]}}
    bad = _run(stack, [_STEPS[0], fails], timeout_seconds=77)
    page.goto(f"/jobs/{bad}/")
    step = page.locator("#job-why .todo li").filter(has_text="Compare with the last successful run")
    step.get_by_role("link", name="Compare").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Compare two jobs")
    expect(page.get_by_label("First job")).to_have_value(good)
    expect(page.get_by_label("Second job")).to_have_value(bad)
    table = page.get_by_role("group", name="Table of both jobs")
    expect(table.get_by_role("row").filter(has_text="pipeline version")).to_be_visible()
    limit = table.get_by_role("row").filter(has_text="Time limit")
    expect(limit.get_by_role("cell").last).to_contain_text("1 min 17 s")
    expect(table.get_by_role("row").filter(has_text="Status")).to_contain_text("succeeded")
    equal = page.get_by_role("group", name="Equal values")
    expect(equal).to_be_hidden()
    page.get_by_text(re.compile("equal values")).click()
    expect(equal.get_by_role("row").filter(has_text="Memory limit")).to_be_visible()
    page.get_by_label("First job").select_option(bad)
    expect(page.get_by_text("Choose two different jobs")).to_be_visible()


def test_the_first_run_says_that_there_is_nothing_to_compare_with(page: Page, stack: Stack) -> None:
    project = stack.project("alone")
    job = stack.submit("true", project=project)
    stack.end_of(job)
    page.goto(f"/jobs/{job}/")
    expect(page.locator("#job-time")).to_be_visible()
    expect(page.get_by_role("link", name=re.compile("^Compare"))).to_have_count(0)
    page.goto(f"/projects/{project}/jobs/compare/?a={job}")
    expect(page.get_by_text("There is no earlier successful run")).to_be_visible()


def test_the_logs_of_all_attempts_can_be_chosen(page: Page, stack: Stack) -> None:
    job = stack.submit("exit 3", max_attempts=2)
    assert stack.end_of(job)["attempt"] == 2
    page.goto(f"/jobs/{job}/")
    choice = page.locator("#log").get_by_role("group", name="Attempt")
    expect(choice.get_by_role("link")).to_have_text(["1", "2"])
    choice.get_by_role("link", name="1").click()
    expect(choice.get_by_role("link", name="1")).to_have_attribute("aria-current", "true")


def test_a_job_is_downloaded_as_one_file(page: Page, stack: Stack) -> None:
    job = stack.submit("echo hello")
    stack.end_of(job)
    page.goto(f"/jobs/{job}/")
    with page.expect_download() as started:
        page.get_by_role("link", name="Export (.zip)").click()
    assert started.value.suggested_filename == f"job-{job}.zip"
