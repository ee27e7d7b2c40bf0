"""`python -m tests.chaos.random_kills SECONDS [SEED]`: a real installation with random kills.

Jobs of several shapes are submitted during the run. Then the kills stop, every job must end, and
the oracle checks each. Prints kills and jobs; exit code 1 on any violation. The seed selects the
actions but not the timing of the machine: a second run with the same seed can differ.
"""

import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.chaos.killer import Killer
from tests.chaos.learning import SHARED, prepare, shared_twin_faults
from tests.chaos.oracle import violations
from tests.chaos.scraper import Scraper, at_the_end, summary
from tests.chaos.shapes import PROJECTS, Submitted, submit
from tests.support.stack import TERMINAL, Stack, running
from tests.support.waiting import wait_for

OPEN_AT_ONCE = 8
RETRIES_IN = 3  # the API runs one in this number of failed jobs again
PATIENCE_SECONDS = 60.0  # for one request while any process can be down
PEACE_SECONDS = 240.0  # until every job has ended after the last kill
SETTINGS = {
    "LAUNCH_TIMEOUT": "20",
    "CANCEL_GRACE": "3",
    "WORKER_GRACE": "60",
    "JOB_TIMEOUT": "300",
    "INFRASTRUCTURE_RETRIES": "100",  # kills must never make a job fail
    "RETRY_BACK_OFF_MAX": "2",
}


class Run:
    """The jobs of one run."""

    def __init__(self, stack: Stack, dice: random.Random) -> None:
        self._stack, self._dice = stack, dice
        self.jobs: list[Submitted] = []
        self.prepared: dict[str, str] = {}  # by project, the job that created the inputs of others
        self._open: list[Submitted] = []

    def go_on(self, seconds: float) -> None:
        """Submit, cancel and retry jobs for a time."""
        began = time.monotonic()
        while (now := time.monotonic() - began) < seconds:
            if len(self._open) < OPEN_AT_ONCE:
                self._add(submit(self._stack, self._dice, now=now))
            self._cancel_due(now)
            for job in [each for each in self._open if self._status(each) in TERMINAL]:
                self._open.remove(job)
                self._perhaps_again(job)
            time.sleep(0.1)  # the pace of a user, without waiting for anything
        self._cancel_due(float("inf"))

    def unfinished(self) -> list[Submitted]:
        """Return jobs that have not ended or whose workers are not cleaned up."""
        left = self._stack.workers()
        self._open = [job for job in self._open if self._status(job) not in TERMINAL]
        return self._open or [job for job in self.jobs if any(job.id in name for name in left)]

    def _add(self, job: Submitted) -> None:
        self.jobs.append(job)
        self._open.append(job)

    def _status(self, job: Submitted) -> str:
        return str(self._stack.job(job.id).get("status"))

    def _cancel_due(self, now: float) -> None:
        for job in self._open:
            if job.cancel_at is not None and job.cancel_at <= now:
                job.cancel_at = None
                answer = self._stack.call(
                    "POST", f"/api/v1/jobs/{job.id}/cancel/", PATIENCE_SECONDS
                )
                assert answer.status_code in (202, 409), answer.text

    def _perhaps_again(self, job: Submitted) -> None:
        if job.shape != "failing" or self._dice.randrange(RETRIES_IN):
            return
        headers = {"Idempotency-Key": f"again-{job.id}"}
        answer = self._stack.call(
            "POST", f"/api/v1/jobs/{job.id}/retry/", PATIENCE_SECONDS, headers=headers
        )
        assert answer.status_code in (200, 201), answer.text
        self._add(Submitted(answer.json()["id"], job.shape, job.project))


def main(arguments: list[str]) -> int:
    """Run. Exit status: 0 all invariants hold, 1 one is violated, 2 invalid arguments."""
    if not 1 <= len(arguments) <= 2 or not all(argument.isdigit() for argument in arguments):
        print("usage: python -m tests.chaos.random_kills SECONDS [SEED]", file=sys.stderr)
        return 2
    seconds = int(arguments[0])
    seed = int(arguments[1]) if len(arguments) > 1 else random.SystemRandom().randrange(1, 10**6)
    print(f"seed {seed}, {seconds} s", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="mimir-chaos-"))
    broken: list[str] = []
    for stack in running(folder, MIMIR_CRASH_POINTS="", **SETTINGS):
        broken = _run(stack, seconds, seed)
    print("\n".join(broken) or "every promise was kept", flush=True)
    if broken:
        print(f"{len(broken)} broken promises; seed {seed}; logs and state are in {folder}")
        return 1
    shutil.rmtree(folder, ignore_errors=True)
    return 0


def _run(stack: Stack, seconds: int, seed: int) -> list[str]:
    run, killer = Run(stack, random.Random(seed)), Killer(stack, random.Random(seed + 1))  # noqa: S311 - no secret
    run.prepared = {project: prepare(stack, project) for project in PROJECTS}
    scraper = Scraper(stack)
    scraper.start()
    killer.start()
    try:
        run.go_on(seconds)
    finally:
        killer.end()
    wait_for(stack.answers, "the installation is on its feet", PEACE_SECONDS)
    began = time.monotonic()
    stuck = _wait_for_ends(run)
    scraper.end()
    figures = at_the_end(stack, scraper)
    _print_counts(stack, run, killer, time.monotonic() - began)
    print(
        f"{summary(scraper)}; {'they agree with the rows' if not figures else 'THEY DO NOT AGREE'}"
    )
    ended = [job for job in run.jobs if job not in stuck]
    broken = [
        sentence
        for job in ended
        for sentence in violations(stack, job.id, job.expected(harmed=job.id in killer.harmed))
    ]
    broken += [f"{job.id} ({job.shape}) waits for ever: {_why(stack, job)}" for job in stuck]
    return [
        *killer.faults,
        *broken,
        *figures,
        *_lost_or_doubled(stack, run),
        *_shared_twins(stack, run),
    ]


def _shared_twins(stack: Stack, run: Run) -> list[str]:
    """Check that a shared twin matches the results of the jobs that updated it."""
    broken = []
    for project in PROJECTS:
        shown = [
            stack.job(job.id) for job in run.jobs if (job.project, job.made) == (project, SHARED)
        ]
        broken += shared_twin_faults(
            stack,
            project,
            {each["id"]: each["result"] for each in shown if each["status"] == "succeeded"},
        )
    return broken


def _wait_for_ends(run: Run) -> list[Submitted]:
    """Wait for the jobs. Return those that do not end."""
    try:
        wait_for(lambda: not run.unfinished(), "every job has ended", PEACE_SECONDS)
    except TimeoutError:
        return run.unfinished()
    return []


def _why(stack: Stack, job: Submitted) -> str:
    shown = stack.job(job.id)
    workers = [name for name in stack.workers() if job.id in name]
    return (
        f"{shown['status']}, attempt {shown['attempt']}, waiting {shown['waiting']}, workers "
        f"{workers}, attempts {stack.attempts(job.id)[-1:]}"
    )


def _lost_or_doubled(stack: Stack, run: Run) -> list[str]:
    """Check that each accepted job is listed once in its project, and no other job."""
    broken = []
    for project in PROJECTS:
        listed: list[str] = []
        path = f"/api/v1/projects/{project}/jobs/"
        while path:
            page = stack.call("GET", path).json()
            listed += [row["id"] for row in page["results"]]
            path = page["next"]
        ours = [job.id for job in run.jobs if job.project == project] + [run.prepared[project]]
        if sorted(listed) != sorted(ours):
            broken.append(
                f"{project}: {len(ours)} jobs were accepted, {len(listed)} are listed: "
                f"{sorted(set(listed) ^ set(ours))}"
            )
    return broken


def _print_counts(stack: Stack, run: Run, killer: Killer, healed_seconds: float) -> None:
    shown = [(job.shape, stack.job(job.id)) for job in run.jobs]
    ends = Counter(f"{shape} {found['status']}" for shape, found in shown)
    attempts = sum(found["attempt"] for _shape, found in shown)
    print("done:  " + ", ".join(f"{what} {count}" for what, count in sorted(killer.counts.items())))
    print("jobs:  " + ", ".join(f"{what} {count}" for what, count in sorted(ends.items())))
    strikes = sum(killer.counts.values())
    print(
        f"total: {strikes} strikes, {len(shown)} jobs, {attempts} attempts; all ended "
        f"{healed_seconds:.1f} s after the last strike"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
