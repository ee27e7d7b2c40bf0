"""Claims: accepted once, repeatable by the same worker, refused for fenced attempts."""

from contextlib import suppress
from uuid import uuid4

import pytest

from jobs.contract import EventKind, FailureReason, JobStatus
from jobs.contract.protocol import ClaimResponse
from jobs.lifecycle.cancel import job_cancel
from jobs.models import JobEvent
from mimir.lib.errors import Conflict, Gone
from tests.support import make

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_claim_makes_the_job_running() -> None:
    attempt = make.launched()
    answer = make.claim(attempt)
    job = attempt.job
    job.refresh_from_db()
    assert job.status == JobStatus.RUNNING
    assert job.started_at == attempt.claimed_at
    assert answer["job"]["id"] == str(job.id)
    assert JobEvent.objects.filter(job=job, kind=EventKind.CLAIMED).count() == 1


def test_the_same_claim_again_gets_the_same_answer() -> None:
    attempt = make.launched()
    claim_id = uuid4()
    first = make.claim(attempt, claim_id)
    second: ClaimResponse | None = None
    with suppress(Conflict, Gone):
        second = make.claim(attempt, claim_id)
    assert second == first
    assert JobEvent.objects.filter(job=attempt.job, kind=EventKind.CLAIMED).count() == 1


def test_another_worker_with_the_same_token_is_refused() -> None:
    attempt = make.claimed()
    holder = attempt.claim_id
    refused = None
    try:
        make.claim(attempt, uuid4())
    except Conflict as conflict:
        refused = conflict.code
    attempt.refresh_from_db()
    assert (refused, attempt.claim_id) == ("already_claimed", holder)


def test_a_fenced_attempt_cannot_be_claimed() -> None:
    attempt = make.launched()
    job_cancel(job_id=attempt.job_id, actor="test")
    refused = None
    try:
        make.claim(attempt)
    except Gone as gone:
        refused = gone.code
    assert refused == "fenced"


def test_a_fence_comes_before_the_question_who_claims() -> None:
    attempt = make.claimed()
    holder = attempt.claim_id
    make.launcher().end(attempt.name, reason=FailureReason.WORKER_LOST)
    make.reconcile()
    with pytest.raises(Gone):
        make.claim(attempt, holder)
