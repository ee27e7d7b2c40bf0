"""Without JavaScript, a user can sign in, run a job, see its status, cancel it, and check and save
a pipeline.
"""

import json
from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.browser.gated import GatedJob
from tests.browser.watch import Watch
from tests.support.stack import Stack


def test_sign_in_run_a_job_and_cancel_it(
    visit: Visit, stack: Stack, gated: Callable[..., GatedJob], watch: Watch
) -> None:
    watch.expects("status of 400")
    pattern = gated(project="plain-html", name="the first").running()
    pipeline = stack.job(pattern.id)["parameters"]["pipeline"]
    page = visit(java_script_enabled=False)
    page.goto(f"/projects/plain-html/jobs/new/?pipeline={pipeline}")
    page.get_by_label("User name").fill(stack.described["username"])
    page.get_by_label("Password").fill(stack.described["password"])
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Run a job")).to_be_visible()
    expect(page.get_by_role("combobox", name="Pipeline")).to_have_value(pipeline)

    page.locator("#f-name").fill("by hand")
    page.locator("[name='resources.memory']").fill("plenty")
    page.get_by_role("button", name="Run pipeline").click()
    expect(page.locator("[id='e-resources.memory']")).to_contain_text("plenty")
    expect(page.locator("#f-name")).to_have_value("by hand")
    page.locator("[name='resources.memory']").fill("512Mi")
    page.get_by_role("button", name="Run pipeline").click()
    expect(page.get_by_role("heading", name="by hand")).to_be_visible()

    job = page.url.rstrip("/").rsplit("/", 1)[1]
    stack.wait_status(job, "running")
    page.reload()
    expect(page.locator(".st.pill")).to_have_text("Running")
    page.get_by_role("button", name="Cancel job").click()  # no confirmation: that needs JavaScript
    stack.end_of(job)
    page.goto(f"/jobs/{job}/")
    expect(page.locator(".st.pill")).to_have_text("Cancelled")
    expect(page.get_by_role("link", name="Download the whole log")).to_be_visible()
    page.get_by_role("button", name="Run again", exact=True).click()
    expect(page.get_by_role("link", name=job[-8:])).to_be_visible()
    again = page.url.rstrip("/").rsplit("/", 1)[1]
    page.get_by_role("button", name="Cancel job").click()
    assert stack.end_of(again)["status"] == "cancelled"

    page.goto("/projects/plain-html/jobs/")
    page.get_by_role("group", name="Status").get_by_role("link", name="Cancelled").click()
    expect(page.locator("tbody tr")).to_have_count(2)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in to Mimir")).to_be_visible()


def test_check_and_save_a_pipeline(member: Visit, stack: Stack, watch: Watch) -> None:
    watch.expects("status of 400")
    page = member(java_script_enabled=False)
    page.goto(f"/projects/{stack.project('plain-html')}/pipelines/new/")
    steps = page.get_by_role("textbox", name="Steps")
    wrong = json.dumps(
        {"steps": [{"id": "a", "uses": "sql", "with": {"query": "SELECT * FROM b"}}]}
    )
    page.get_by_label("Name").fill("by-form")
    steps.fill(wrong)
    page.get_by_role("button", name="Check").click()
    expect(page.locator("#faults li")).to_contain_text("steps[0].with.query")
    expect(steps).to_have_value(wrong)
    expect(page.get_by_label("Name")).to_have_value("by-form")
    assert stack.call("GET", "/api/v1/projects/plain-html/pipelines/by-form/").status_code == 404
    steps.fill(wrong.replace(" FROM b", " FROM (VALUES (1)) AS t(n)"))
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("v1, newest")).to_be_visible()
