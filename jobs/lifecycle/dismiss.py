"""Hide a failed job from one user's "Needs attention", or show it again.

The lists of other users do not change.
"""

from typing import TYPE_CHECKING

from jobs.contract import JobStatus
from jobs.models import DismissedFailure, Job
from mimir.lib.errors import Conflict

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def failure_dismiss(*, job: Job, user: "User") -> None:
    """Hide a failure from the user. Idempotent. Raises: Conflict for a job that did not fail."""
    if job.status != JobStatus.FAILED:
        raise Conflict("Only a failed job can be dismissed.", code="not_failed")
    DismissedFailure.objects.bulk_create(
        [DismissedFailure(user=user, job=job)], ignore_conflicts=True
    )


def failure_restore(*, job: Job, user: "User") -> None:
    """Show a dismissed failure again. Idempotent."""
    DismissedFailure.objects.filter(user=user, job=job).delete()
