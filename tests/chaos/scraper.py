"""Scrapes `/metrics` of the orchestrator and compares each scrape with the previous one."""

import threading

import httpx
import psycopg

from tests.chaos.beside import environment_of
from tests.support.metrics import Samples, backwards, disagreements, figure, samples, unbalanced
from tests.support.stack import Stack

EVERY_SECONDS = 1.0


class Scraper(threading.Thread):
    """Scrapes until `end`.

    `told` has the faults; `scrapes`, `without_database` and `unanswered` are counts.
    """

    def __init__(self, stack: Stack) -> None:
        super().__init__(name="scraper", daemon=True)
        self._token = environment_of(stack, "web")["METRICS_TOKEN"]
        self._url = f"http://127.0.0.1:{stack.environment['API_PORT']}/metrics"
        self._over = threading.Event()
        self._before: Samples = {}
        self.told: list[str] = []
        self.scrapes = self.without_database = self.unanswered = 0

    def run(self) -> None:
        """Scrape without pause: each answer is 200, and no counter decreases."""
        while not self._over.wait(EVERY_SECONDS):
            self.look()

    def end(self) -> None:
        """Stop scraping."""
        self._over.set()
        self.join()

    def look(self) -> Samples:
        """Scrape once. Return nothing if the orchestrator does not respond."""
        try:
            answer = httpx.get(
                self._url,
                headers={"Authorization": f"Bearer {self._token}"},
                timeout=20,
                trust_env=False,
            )
        except httpx.HTTPError:
            self.unanswered += 1
            return {}
        if answer.status_code != 200:
            self.told.append(f"/metrics answered {answer.status_code}")
            return {}
        found = samples(answer.text)
        self.scrapes += 1
        if not figure(found, "mimir_database_up"):
            self.without_database += 1
            return found
        self.told += [
            f"/metrics: {fault}" for fault in [*backwards(self._before, found), *unbalanced(found)]
        ]
        self._before = found
        return found


def at_the_end(stack: Stack, scraper: Scraper) -> list[str]:
    """Compare the last scrape with the rows after everything has stopped."""
    found = scraper.look()
    with psycopg.connect(environment_of(stack, "web")["DATABASE_URL"]) as connection:
        return [
            *scraper.told,
            *(f"/metrics at the end: {fault}" for fault in disagreements(found, connection)),
        ]


def summary(scraper: Scraper) -> str:
    """Return the line that the random run prints."""
    counted = {
        name: sum(value for (each, _of), value in scraper._before.items() if each == name)
        for name in FIGURES
    }
    shown = ", ".join(f"{name} {value:.0f}" for name, value in counted.items())
    return (
        f"/metrics: {scraper.scrapes} scrapes, {scraper.without_database} of them without the "
        f"database, {scraper.unanswered} unanswered; {shown}"
    )


FIGURES = (
    "mimir_jobs_submitted_total",
    "mimir_jobs_finished_total",
    "mimir_attempts_tried_again_total",
    "mimir_job_launch_seconds_count",
    "mimir_job_duration_seconds_count",
)
