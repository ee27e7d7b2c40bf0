"""Status label and status sentence of a job."""

from typing import Any

import pytest

from jobs.contract import JobStatus
from jobs.queries.status_text import status_label, status_text

JOB: Any = {
    "status": "queued",
    "attempt": 1,
    "max_attempts": 3,
    "message": "",
    "reason": "",
    "diagnosis": None,
    "progress": {"fraction": None, "message": ""},
    "waiting": None,
    "away": None,
    "started_at": None,
    "finished_at": None,
    "result": None,
}
SUCCEEDED: Any = JOB | {"status": "succeeded"}
CANCELLED: Any = JOB | {"status": "cancelled", "message": "Cancelled by ada."}


@pytest.mark.parametrize("status", list(JobStatus))
def test_each_status_has_a_label(status: JobStatus) -> None:
    assert status_label(JOB | {"status": status.value})


@pytest.mark.parametrize(
    ("fields", "label"),
    [
        ({}, "Waiting"),
        ({"attempt": 2}, "Retrying, attempt 2 of 3"),
        # Attempts lost to infrastructure do not count against the limit.
        ({"attempt": 5, "max_attempts": 1}, "Retrying, attempt 5"),
        ({"status": "running", "attempt": 2}, "Running"),
        ({"status": "succeeded"}, "Succeeded"),
        ({"status": "succeeded", "attempt": 2}, "Succeeded on attempt 2"),
    ],
)
def test_the_label_names_the_attempt_from_the_second_on(fields: dict[str, Any], label: str) -> None:
    assert status_label(JOB | fields) == label


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, ""),
        ({"message": "Queued again."}, "Queued again."),
        ({"status": "launching"}, "The worker is starting."),
        ({"status": "launching", "message": "Pulling the image."}, "Pulling the image."),
        ({"status": "running", "progress": {"message": "Training"}}, "Training"),
        (
            {
                "status": "running",
                "progress": {"message": "Training"},
                "diagnosis": {"summary": "Waiting for the storage."},
            },
            "Waiting for the storage.",
        ),
        ({"status": "cancelling"}, "Stopping. It is killed if it does not stop soon."),
        ({"status": "failed", "reason": "lost"}, "lost"),
        ({"status": "failed", "reason": "lost", "message": "Gone."}, "Gone."),
        (
            {"status": "failed", "message": "Gone.", "diagnosis": {"summary": "Out of memory."}},
            "Out of memory.",
        ),
    ],
)
def test_the_sentence_of_each_status(fields: dict[str, Any], text: str) -> None:
    assert status_text(JOB | fields) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.5, "2nd."), (40, "2nd. In about 40 s."), (2940, "2nd. In about 49 min.")],
)
def test_a_waiting_job_names_its_estimate(seconds: float, text: str) -> None:
    waiting = {"detail": "2nd.", "blocked_by": "capacity", "estimate_seconds": seconds}

    assert status_text(JOB | {"waiting": waiting}) == text


def test_a_retry_delay_is_named_once() -> None:
    waiting = {"detail": "Retries in 49 min.", "blocked_by": "back_off", "estimate_seconds": 2940}

    assert status_text(JOB | {"waiting": waiting}) == "Retries in 49 min."


def test_a_cancelled_job_names_the_user_and_the_duration() -> None:
    times = {"started_at": "2026-11-25T07:18:00+00:00", "finished_at": "2026-11-25T07:19:12+00:00"}

    assert status_text(CANCELLED) == (
        "Cancelled by ada before it started. Nothing was written to the project."
    )
    assert status_text(CANCELLED | times) == (
        "Cancelled by ada after 1 min 12 s. Nothing was written to the project."
    )


def test_an_unreachable_job_says_so_until_it_has_ended() -> None:
    away = {"detail": "The cluster eu has not answered since 07:18:00 UTC."}

    for status in ("launching", "running", "cancelling"):
        assert status_text(JOB | {"status": status, "away": away}) == away["detail"]
    assert status_text(CANCELLED | {"away": away}).startswith("Cancelled by ada")


@pytest.mark.parametrize(
    ("result", "text"),
    [
        (None, "Done. Nothing was written to the project."),
        ({"datasets": []}, "Done. Nothing was written to the project."),
        ({"model": "demand", "version": 3}, "Created model demand v3."),
        ({"datasets": [{"name": "o", "version": 1}], "rows": 1200}, "Wrote o v1, 1,200 rows."),
        (
            {"datasets": [{"name": name, "version": 2} for name in "abcde"]},
            "Wrote a v2, b v2, c v2 and 2 more.",
        ),
        (
            {"twin": "s", "revision": 4, "created": 2000, "changed": 0, "removed": 1},
            "Created revision 4 of twin s: 2,000 new, 1 removed.",
        ),
        (
            {"twin": "s", "revision": 4, "created": 0, "changed": 0, "removed": 0},
            "Twin s is unchanged: no values differ.",
        ),
    ],
)
def test_a_succeeded_job_names_its_results(result: dict[str, Any] | None, text: str) -> None:
    assert status_text(SUCCEEDED | {"result": result}) == text
