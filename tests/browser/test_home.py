"""A project from its first page on: the sample, the first jobs by the form, and a home that tells what came of them."""

from playwright.sync_api import Page, expect

from mimir.lib import sample
from tests.browser.conftest import Visit
from tests.support.stack import Stack

PROJECT = "just-looking"


def test_an_empty_project_loads_the_sample_and_leads_to_its_first_results(page: Page, stack: Stack) -> None:
    base = f"/api/v1/projects/{stack.project(PROJECT)}/"
    page.goto(f"/projects/{PROJECT}/")
    page.get_by_role("button", name="Load the sample").click()
    run = page.get_by_role("link", name=f"Run the pipeline {sample.PIPELINE}")
    expect(run).to_be_visible()
    assert stack.call("GET", f"{base}pipelines/{sample.PIPELINE}/").json()["versions"][0]["definition"] == sample.DEFINITION
    assert stack.call("GET", f"{base}twins/{sample.TWIN}/").json()["definition"] == sample.TWIN_DEFINITION
    run.click()
    page.get_by_role("button", name="Run pipeline").click()
    expect(page.locator(".st.pill")).to_have_text("Succeeded")
    expect(page.locator("#job-results")).to_contain_text(sample.HISTORY)

    page.get_by_role("link", name="Twins", exact=True).click()
    page.goto(f"/projects/{PROJECT}/jobs/new/?type=digital_twin_update&twin={sample.TWIN}&dataset={sample.RECENT}")
    page.get_by_role("combobox", name="Entity type").select_option("day")
    high = page.get_by_role("combobox", name="Highest temperature, °C", exact=False).first
    high.select_option("temp_max")
    page.get_by_role("combobox", name="Key column").select_option("date")
    page.get_by_role("radio", name="mark").check()
    expect(page.locator("#curl")).to_contain_text('"missing": "mark"')
    expect(page.locator("[data-dry]")).to_contain_text(sample.TWIN)
    page.get_by_role("button", name="Run twin update").click()
    page.wait_for_url("**/jobs/*-*/")
    job = stack.end_of(page.url.rstrip("/").rsplit("/", 1)[1])
    asked = {"twin": sample.TWIN, "dataset": sample.RECENT, "type": "day", "key": "date", "properties": {"temp_max": "temp_max"}, "missing": "mark"}
    assert (job["status"], job["parameters"], job["result"]["created"]) == ("succeeded", asked, 31)
    page.goto(page.url)
    expect(page.locator("#job-why")).to_contain_text(f"Made revision {job['result']['revision']} of twin {sample.TWIN}: 31 new.")
    page.locator("#job-results").get_by_role("link", name=sample.TWIN).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(str(job["result"]["revision"]))

    page.goto(f"/projects/{PROJECT}/")
    expect(page.get_by_role("region", name="Needs you")).to_contain_text("Nothing needs you")
    expect(page.get_by_role("region", name="Last 24 hours").locator(".kpi b").first).to_have_text("2")
    kept = page.get_by_role("region", name="What this project keeps up to date")
    expect(kept.get_by_role("row", name=sample.TWIN)).to_contain_text(f"Update {sample.TWIN} from {sample.RECENT}")
    expect(kept.get_by_role("row", name=sample.HISTORY).get_by_role("group")).to_have_attribute("aria-label", "One run: succeeded")
    results = page.get_by_role("region", name="New results")
    expect(results.get_by_role("link", name=sample.BY_MONTH)).to_have_attribute("href", f"/projects/{PROJECT}/datasets/{sample.BY_MONTH}/?version=1")


def test_the_sample_pressed_again_goes_on_where_it_was_and_doubles_nothing(member: Visit, stack: Stack) -> None:
    project = stack.project("half-loaded")
    base = f"/api/v1/projects/{project}/"
    files = {"file": (sample.FILE.name, sample.FILE.read_bytes(), "text/csv")}
    assert stack.call("POST", f"{base}datasets/", data={"name": sample.DATASET}, files=files).status_code == 201
    page = member(java_script_enabled=False)
    page.goto(f"/projects/{project}/")
    page.get_by_role("button", name="Load the sample").click()
    expect(page.get_by_role("link", name=f"Run the pipeline {sample.PIPELINE}")).to_be_visible()
    assert [row["number"] for row in stack.call("GET", f"{base}datasets/{sample.DATASET}/").json()["versions"]] == [1]


def test_a_failure_stands_first_with_what_to_do_until_the_same_work_succeeds(page: Page, stack: Stack) -> None:
    project = stack.project("troubled")
    fails = {"steps": [{"id": "try", "uses": "command", "with": {"argv": ["/bin/sh", "-c", "exit 3"]}}]}
    works = {"steps": [{"id": "try", "uses": "command", "with": {"argv": ["/bin/true"]}}]}
    base = f"/api/v1/projects/{project}/"
    for definition, status in ((fails, "failed"), (works, "succeeded")):
        assert stack.call("POST", f"{base}pipelines/", json={"name": "hourly", "definition": definition}).status_code == 201
        body = {"type": "pipeline_execution", "parameters": {"pipeline": "hourly"}}
        job = stack.call("POST", f"{base}jobs/", json=body).json()["id"]
        assert stack.end_of(job)["status"] == status
        page.goto(f"/projects/{project}/")
        needs = page.get_by_role("region", name="Needs you")
        if status == "failed":
            expect(needs.get_by_role("listitem")).to_contain_text("exit code 3")
            needs.get_by_role("link", name="Pipeline hourly", exact=True).click()
            expect(page.locator(".st.pill")).to_have_text("Failed")
        else:
            expect(needs).to_contain_text("Nothing needs you")
