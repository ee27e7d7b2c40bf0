"""A running job that nobody hears of: said on its open page when it begins, and taken back when it is over."""

import os
import signal
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.gated import GatedJob
from tests.chaos.beside import rows
from tests.support.stack import Stack

AWAY = "UPDATE jobs_cluster SET unreachable_since = now() - interval '3 minutes', unreachable_message = 'refused' RETURNING 1"
SILENT = "UPDATE jobs_attempt SET heartbeat_at = heartbeat_at - interval '2 minutes' WHERE job_id = %s RETURNING 1"


def test_a_job_that_is_not_heard_of_says_since_when_and_until_when(stack: Stack, page: Page, gated: Callable[..., GatedJob]) -> None:
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
        expect(why).to_contain_text("Neither its cluster nor its worker is heard of")
        expect(why).to_contain_text("The cluster local has not answered since")
        expect(why).to_contain_text("given up at about")
        listed = page.request.get(f"{stack.described['frontend_url']}/projects/demo/jobs/").text()
        assert "The cluster local has not answered since" in listed
    finally:
        os.kill(worker, signal.SIGCONT)
        os.kill(reconciler, signal.SIGCONT)
    expect(why).not_to_contain_text("heard of")
    expect(why).to_contain_text("so far")
