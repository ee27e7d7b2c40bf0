"""After the end of a job: the reason of a failure, next steps, and running again with or without
changes.
"""

from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Page, expect

from tests.browser.gated import GatedJob
from tests.support.stack import Stack

_GREEDY = [
    {
        "id": "load",
        "uses": "command",
        "with": {"argv": ["python3", "-c", "rows = [b'x' * (1 << 20) for _ in range(4096)]"]},
    }
]


def _job_of(page: Page) -> str:
    return urlsplit(page.url).path.split("/")[2]


def test_a_failed_job_shows_its_reason_and_the_line_that_explains_it(
    page: Page, stack: Stack
) -> None:
    lines = "; ".join(f"echo step {number}" for number in range(300))
    job = stack.submit(
        f"{lines}; echo 'ERROR the share is 1.08' >&2; {lines}; exit 3", name="checked shares"
    )
    stack.end_of(job)
    page.goto(f"/jobs/{job}/")
    why = page.locator("#job-why")
    expect(page.locator(".st.pill")).to_have_text("Failed")
    expect(why.get_by_role("heading", level=2)).to_contain_text("3")
    assert why.locator(".todo li").count() >= 1
    expect(page.locator("[data-log-rows] .ln.target")).to_contain_text("ERROR the share is 1.08")
    page.locator("#log").scroll_into_view_if_needed()
    expect(page.locator("[data-log-rows] .ln.target")).to_be_in_viewport()
    expect(page.locator("#job-steps")).to_contain_text("1 failed")
    expect(page.locator("#job-history")).to_contain_text("1 of 1")
    expect(page.locator("#job-attempts")).not_to_contain_text("exit code 0")


def test_the_next_step_of_a_job_out_of_memory_opens_the_form_with_the_change_marked(
    page: Page, stack: Stack
) -> None:
    job = stack.submit(_GREEDY, name="too greedy", resources={"memory": "256Mi"})
    assert stack.end_of(job)["reason"] == "out_of_memory"
    page.goto(f"/jobs/{job}/")
    why = page.locator("#job-why")
    expect(why.get_by_role("heading", level=2)).to_contain_text("memory")
    step = why.locator(".todo a.btn.pri").first
    expect(step).to_be_visible()
    step.click()
    page.wait_for_url("**/jobs/new/?from=*")
    assert parse_qs(urlsplit(page.url).query)["from"] == [job]
    memory = page.locator("[name='resources.memory']")
    expect(memory).not_to_have_value("256Mi")
    expect(page.locator(".f.marked")).to_have_count(1)
    expect(page.locator(".f.marked")).to_contain_text("changed")
    expect(page.locator(".f.marked [name='resources.memory']")).to_have_count(1)
    expect(page.locator("[name=name]")).to_have_value("too greedy")


def test_run_again_makes_a_new_job_that_names_the_old_one(page: Page, stack: Stack) -> None:
    job = stack.submit("echo once more", name="repeated", labels={"team": "bikes"})
    stack.end_of(job)
    page.goto(f"/jobs/{job}/")
    page.get_by_role("button", name="Run again", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Run again").dblclick()
    page.wait_for_url(lambda url: job not in url)
    again = _job_of(page)
    expect(page.get_by_role("link", name=job[-8:])).to_be_visible()
    expect(page.locator(".st.pill")).to_have_text("Succeeded")
    created = stack.job(again)
    assert (created["retry_of"], created["name"], created["labels"], created["inputs"]) == (
        job,
        "repeated",
        {"team": "bikes"},
        stack.job(job)["inputs"],
    )
    named = stack.call("GET", "/api/v1/projects/demo/jobs/", params={"q": "repeated"}).json()[
        "results"
    ]
    assert len(named) == 2


def test_run_again_with_changes_opens_the_form_filled_in(
    page: Page, stack: Stack, gated: Callable[..., GatedJob]
) -> None:
    parameters = {
        "resources": {"cpu": "1", "memory": "512Mi"},
        "priority": "high",
        "timeout_seconds": 77,
        "max_attempts": 2,
    }
    job = gated(name="filled in", labels={"team": "bikes", "run": "nightly"}, **parameters)
    job.end()
    pipeline = stack.end_of(job.id)["parameters"]["pipeline"]
    page.goto(job.path)
    page.get_by_role("link", name="Run again with changes").click()
    expect(page.get_by_role("combobox", name="Pipeline")).to_have_value(pipeline)
    values = {
        "name": "filled in",
        "resources.cpu": "1",
        "resources.memory": "512Mi",
        "timeout_seconds": "77",
        "max_attempts": "2",
    }
    for name, value in values.items():
        expect(page.locator(f"[name='{name}']")).to_have_value(value)
    expect(page.get_by_role("radio", name="high")).to_be_checked()
    expect(page.get_by_label("Labels")).to_have_value("run=nightly\nteam=bikes")
    expect(page.locator(".f.marked")).to_have_count(0)
    page.locator("[name=name]").fill("filled in anew")
    page.get_by_role("button", name="Run pipeline").click()
    page.wait_for_url("**/jobs/*-*/")
    created = stack.job(_job_of(page))
    assert (created["name"], created["parameters"]["pipeline"], created["labels"]) == (
        "filled in anew",
        pipeline,
        {"team": "bikes", "run": "nightly"},
    )
    assert (created["priority"], created["timeout_seconds"], created["max_attempts"]) == (
        "high",
        77,
        2,
    )
    stack.end_of(created["id"])
