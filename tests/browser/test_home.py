"""Home page of a project: sample data, first jobs with the form, and their results."""

import json
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from jobs.types.registry import SPECS
from mimir.lib import sample
from mimir.lib.schemas.metrics import METRICS
from tests.browser.conftest import Visit
from tests.support.stack import Stack

PROJECT = "just-looking"


BUTTONS = {
    "pipeline_execution": "Run pipeline",
    "ml_training": "Run training",
    "ml_inference": "Run prediction",
    "digital_twin_update": "Run twin update",
}


def _choose(page: Page, name: str, value: Any) -> None:
    """Set one field to a value."""
    if isinstance(value, dict):
        for key, inner in value.items():
            _choose(page, f"{name}.{key}", inner)
        return
    for one in value if isinstance(value, list) else [value]:
        box = page.locator(f"[name='{name}'][value='{one}']:not([type=hidden])")
        field = page.locator(f"[name='{name}']").first
        expect(field).to_be_attached()
        if field.evaluate("(one) => ['checkbox', 'radio'].includes(one.type)"):
            box.check()
        elif field.evaluate("(one) => one.localName") == "select":
            expect(field.locator(f"option[value='{one}']")).to_be_attached()
            field.select_option(one)
        else:
            field.evaluate(
                "(one) => { for (let up = one.parentElement; up; up = up.parentElement) if "
                "(up.localName === 'details') up.open = true; }"
            )
            field.fill(str(one))
            field.blur()


def _sorted(body: dict[str, Any]) -> dict[str, Any]:
    """Return the body with sorted lists: a form lists the columns in the order of the dataset."""
    parameters = {
        name: sorted(value) if isinstance(value, list) else value
        for name, value in body["parameters"].items()
    }
    return {**body, "parameters": parameters}


def _run(page: Page, stack: Stack, body: dict[str, Any]) -> dict[str, Any]:
    """Fill the form with `body`, send it, and return the ended job.

    Checks that the request shown as curl is the submitted one.
    """
    page.goto(f"/projects/{PROJECT}/jobs/new/")
    page.locator(f"#f-type-{body['type']}").locator("..").click()
    expect(page.get_by_role("button", name=BUTTONS[body["type"]])).to_be_visible()
    for name, value in body["parameters"].items():
        _choose(page, f"parameters.{name}", value)
    _choose(page, "name", body["name"])
    expect(page.locator("[data-dry] dl")).to_contain_text("Time limit")
    expect(page.locator("#curl")).to_contain_text(json.dumps(body["name"])[1:5])
    defaults = {
        name: schema.get("default")
        for name, schema in SPECS[body["type"]].parameters["properties"].items()
    }
    expected = _sorted(
        {
            **body,
            "parameters": {
                name: value for name, value in body["parameters"].items() if value != defaults[name]
            },
        }
    )
    shown = json.loads(
        page.locator("#curl")
        .inner_text()
        .split("-d '", 1)[1]
        .removesuffix("'")
        .replace("'\\''", "'")
    )
    assert _sorted(shown) == expected
    page.get_by_role("button", name=BUTTONS[body["type"]]).click()
    page.wait_for_url("**/jobs/*-*/")
    job = stack.end_of(page.url.rstrip("/").rsplit("/", 1)[1], seconds=240.0)
    assert (
        job["status"],
        _sorted({name: job[name] for name in ("type", "name", "parameters")}),
    ) == ("succeeded", expected), job["message"]
    expect(page.locator(".st.pill")).to_have_text("Succeeded")
    return job


@pytest.mark.timeout(900)
def test_an_empty_project_loads_the_sample_and_runs_all_four_types_by_the_form(
    page: Page, stack: Stack
) -> None:
    base = f"/api/v1/projects/{stack.project(PROJECT)}/"
    page.goto(f"/projects/{PROJECT}/")
    page.get_by_role("button", name="Load the sample").click()
    steps_region = page.get_by_role("region", name="The sample, step by step")
    expect(steps_region.locator("li .st-succeeded")).to_have_count(1)
    run = steps_region.get_by_role("link", name="Run pipeline")
    expect(run).to_be_visible()
    assert (
        stack.call("GET", f"{base}pipelines/{sample.PIPELINE}/").json()["versions"][0]["definition"]
        == sample.DEFINITION
    )
    assert (
        stack.call("GET", f"{base}twins/{sample.TWIN}/").json()["definition"]
        == sample.TWIN_DEFINITION
    )
    run.click()
    expect(page.get_by_role("combobox", name="Pipeline")).to_have_value(sample.PIPELINE)

    prepare, learn, predict, update = sample.JOBS
    _run(page, stack, prepare)
    expect(page.locator("#job-results")).to_contain_text(sample.HISTORY)
    page.goto(f"/projects/{PROJECT}/")
    expect(steps_region.locator("li .st-succeeded")).to_have_count(2)
    # nothing has changed since the page was opened
    expect(page.locator("[data-newrows]")).to_be_hidden()
    steps_region.get_by_role("link", name=f"Train {sample.HISTORY}").click()
    for name, value in learn["parameters"].items():
        if isinstance(value, str):
            expect(page.locator(f"[name='parameters.{name}']").first).to_have_value(value)
    trained = _run(page, stack, learn)
    figures = page.get_by_role("region", name="Metrics on held-out rows")
    for name in trained["result"]["metrics"]:
        expect(figures).to_contain_text(METRICS[name].title)
    expect(figures.get_by_text("better").first).to_be_visible()
    expect(page.locator("#job-results").get_by_role("link", name=sample.MODEL)).to_have_attribute(
        "href", f"/projects/{PROJECT}/models/{sample.MODEL}/?version=1"
    )
    _run(page, stack, predict)
    expect(page.locator("#job-why")).to_contain_text(f"Wrote {sample.FORECAST} v1, 31 rows.")
    updated = _run(page, stack, update)
    revision = updated["result"]["revision"]
    expect(page.locator("#job-why")).to_contain_text(
        f"Created revision {revision} of twin {sample.TWIN}: 31 new."
    )
    page.locator("#job-results").get_by_role("link", name=sample.TWIN).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(str(revision))

    page.goto(f"/projects/{PROJECT}/")
    expect(steps_region).to_have_count(0)  # all steps are done
    expect(page.get_by_role("region", name="Needs attention")).to_contain_text(
        "Nothing needs attention"
    )
    expect(page.get_by_role("region", name="Last 24 hours").locator(".kpi b").first).to_have_text(
        "4"
    )
    kept = page.get_by_role("region", name="Latest results")
    source = f"Update {sample.TWIN} from {sample.FORECAST}"
    expect(kept.get_by_role("row", name=source)).to_contain_text(f"revision {revision}")
    history = kept.get_by_role("row", name=sample.HISTORY).filter(has_text=sample.PIPELINE)
    expect(history.get_by_role("group")).to_have_attribute("aria-label", "One run: succeeded")
    results = page.get_by_role("region", name="New results")
    expect(results.get_by_role("link", name=sample.FORECAST)).to_have_attribute(
        "href", f"/projects/{PROJECT}/datasets/{sample.FORECAST}/?version=1"
    )


def test_the_sample_resumes_where_it_stopped_and_duplicates_nothing(
    member: Visit, stack: Stack
) -> None:
    project = stack.project("half-loaded")
    base = f"/api/v1/projects/{project}/"
    files = {"file": (sample.FILE.name, sample.FILE.read_bytes(), "text/csv")}
    assert (
        stack.call(
            "POST", f"{base}datasets/", data={"name": sample.DATASET}, files=files
        ).status_code
        == 201
    )
    page = member(java_script_enabled=False)
    page.goto(f"/projects/{project}/")
    page.get_by_role("button", name="Load the sample").click()
    expect(page.get_by_role("link", name="Run pipeline")).to_be_visible()
    assert [
        row["number"]
        for row in stack.call("GET", f"{base}datasets/{sample.DATASET}/").json()["versions"]
    ] == [1]


def test_a_failure_is_listed_first_with_its_next_step_until_the_same_work_succeeds(
    page: Page, stack: Stack
) -> None:
    project = stack.project("troubled")
    fails = {
        "steps": [{"id": "try", "uses": "command", "with": {"argv": ["/bin/sh", "-c", "exit 3"]}}]
    }
    works = {"steps": [{"id": "try", "uses": "command", "with": {"argv": ["/bin/true"]}}]}
    base = f"/api/v1/projects/{project}/"
    for definition, status in ((fails, "failed"), (works, "succeeded")):
        assert (
            stack.call(
                "POST", f"{base}pipelines/", json={"name": "hourly", "definition": definition}
            ).status_code
            == 201
        )
        body = {"type": "pipeline_execution", "parameters": {"pipeline": "hourly"}}
        job = stack.call("POST", f"{base}jobs/", json=body).json()["id"]
        assert stack.end_of(job)["status"] == status
        page.goto(f"/projects/{project}/")
        needs = page.get_by_role("region", name="Needs attention")
        if status == "failed":
            expect(needs.get_by_role("listitem")).to_contain_text("exit code 3")
            needs.get_by_role("link", name="Pipeline hourly", exact=True).click()
            expect(page.locator(".st.pill")).to_have_text("Failed")
        else:
            expect(needs).to_contain_text("Nothing needs attention")


def test_a_failure_is_dismissed_for_one_user_until_it_fails_again(page: Page, stack: Stack) -> None:
    project = stack.project("dismissing")
    base = f"/api/v1/projects/{project}/"
    fails = {"steps": [{"id": "try", "uses": "command", "with": {"argv": ["/bin/false"]}}]}
    assert (
        stack.call(
            "POST", f"{base}pipelines/", json={"name": "tried", "definition": fails}
        ).status_code
        == 201
    )
    body = {"type": "pipeline_execution", "parameters": {"pipeline": "tried"}}
    needs = page.get_by_role("region", name="Needs attention")
    for _ in range(2):
        stack.end_of(stack.call("POST", f"{base}jobs/", json=body).json()["id"])
        page.goto(f"/projects/{project}/")
        needs.get_by_role("button", name="Dismiss").click()
        expect(needs).to_contain_text("Nothing needs attention")
    page.reload()
    expect(needs).to_contain_text("Nothing needs attention")


def test_new_jobs_are_those_that_came_after_the_page(page: Page, stack: Stack) -> None:
    project = stack.project("counting")
    for _ in range(2):
        stack.end_of(stack.submit("true", project=project))
    for path in ("", "jobs/"):
        page.goto(f"/projects/{project}/{path}")
        expect(page.locator("[data-live=live]").first).to_be_visible()
        page.wait_for_timeout(300)
        expect(page.locator("[data-newrows]")).to_be_hidden()
    page.goto(f"/projects/{project}/")
    expect(page.locator("[data-live=live]").first).to_be_visible()
    stack.submit("true", project=project)
    expect(page.get_by_role("link", name="1 new job", exact=True)).to_be_visible()


def test_the_address_of_a_new_project_follows_its_name(page: Page, member: Visit) -> None:
    page.goto("/projects/new/")
    page.get_by_label("Name").fill("  Zürich: Bikes & Straßen 2026! ")
    expect(page.get_by_label("Address")).to_have_value("zurich-bikes-strassen-2026")
    page.get_by_label("Address").fill("mine")
    page.get_by_label("Name").fill("Other")
    expect(page.get_by_label("Address")).to_have_value("mine")
    page.get_by_label("Address").fill("")
    page.get_by_label("Name").fill("Third one")
    expect(page.get_by_label("Address")).to_have_value("third-one")
    plain = member(java_script_enabled=False)
    plain.goto("/projects/new/")
    plain.get_by_label("Name").fill("Dérivé du nom")
    plain.get_by_role("button", name="Create project").click()
    plain.wait_for_url("**/projects/derive-du-nom/")
    expect(plain.get_by_role("link", name="API docs")).to_have_attribute("href", "/api/docs/")
