"""Lost heartbeats of a running job appear on its open page and disappear when it reports again."""

import json
import os
import signal
from collections.abc import Callable

from playwright.sync_api import Page, expect

from jobs.diagnosis.failures import storage_wait
from tests.browser.gated import GatedJob
from tests.chaos.beside import rows
from tests.support.stack import Stack

AWAY = (
    "UPDATE jobs_cluster SET unreachable_since = now() - interval '3 minutes', "
    "unreachable_message = 'refused', away_web_seconds = 0 RETURNING 1"
)
SILENT = (
    "UPDATE jobs_attempt SET heartbeat_at = heartbeat_at - interval '2 minutes' WHERE job_id = %s "
    "RETURNING 1"
)


def test_a_job_without_contact_says_since_when_and_until_when(
    stack: Stack, page: Page, gated: Callable[..., GatedJob]
) -> None:
    job = gated(name="Silent one").id
    stack.wait_status(job, "running")
    page.goto(f"/jobs/{job}/")
    why = page.locator("#job-why")
    expect(why).to_contain_text("so far")
    reconciler, worker = stack.kill("reconciler", signal.SIGSTOP), stack.worker_pid(job)
    try:
        os.kill(worker, signal.SIGSTOP)
        rows(stack, SILENT, job)
        rows(stack, AWAY)
        expect(why).to_contain_text("Its cluster and its worker do not answer")
        expect(why).to_contain_text("The cluster local has not answered since")
        expect(why).to_contain_text("The attempt ends at about")
        listed = page.request.get(f"{stack.described['frontend_url']}/projects/demo/jobs/").text()
        assert "The cluster local has not answered since" in listed
    finally:
        os.kill(worker, signal.SIGCONT)
        os.kill(reconciler, signal.SIGCONT)
    expect(why).not_to_contain_text("last heartbeat")
    expect(why).to_contain_text("so far")


WAITS = (
    "UPDATE jobs_job SET message = %s::jsonb->>'summary', diagnosis = %s::jsonb WHERE id = %s "
    "RETURNING 1"
)


def test_a_running_job_says_that_it_waits_for_the_storage(
    stack: Stack, page: Page, gated: Callable[..., GatedJob]
) -> None:
    job = gated().running()
    wait = json.dumps(storage_wait("the artifact storage is full"))
    rows(stack, WAITS, wait, wait, job.id)
    page.goto(job.path)
    why = page.locator("#job-why")
    expect(why.get_by_role("heading")).to_have_text("Waiting: the artifact storage is full.")
    expect(why).to_contain_text("continues automatically")
    page.goto("/projects/demo/jobs/")
    expect(page.get_by_role("table")).to_contain_text("Waiting: the artifact storage is full.")
    rows(
        stack,
        "UPDATE jobs_job SET message = '', diagnosis = NULL WHERE id = %s RETURNING 1",
        job.id,
    )
    page.goto(job.path)
    expect(why).to_contain_text("so far")
    expect(why).not_to_contain_text("Waiting")
