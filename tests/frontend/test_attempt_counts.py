"""Attempts in the details of a job: those that count, and the others."""

from typing import Any, cast

import pytest

from mimir.frontend.pages.job.history import attempt_counts

ENDED, OPEN = "2026-11-24T03:12:40Z", None


@pytest.mark.parametrize(
    ("ends", "used", "status", "counted", "others"),
    [
        ([], 0, "queued", 0, 0),
        ([OPEN], 0, "running", 1, 0),
        ([ENDED], 1, "succeeded", 1, 0),
        ([ENDED, ENDED, OPEN], 0, "launching", 1, 2),  # the first two were interrupted
        ([ENDED, ENDED], 1, "queued", 1, 1),  # waits for its next attempt
        ([ENDED], 0, "cancelled", 0, 1),
        ([OPEN], 0, "cancelled", 0, 1),  # its worker has not ended yet
    ],
)
def test_an_attempt_counts_at_its_start_and_an_interrupted_one_does_not(
    ends: list[str | None], used: int, status: str, counted: int, others: int
) -> None:
    tries = [{"number": number + 1, "ended_at": end} for number, end in enumerate(ends)]
    job = cast("Any", {"attempts_used": used, "status": status})
    assert attempt_counts(tries, job) == {"counted": counted, "others": others}
