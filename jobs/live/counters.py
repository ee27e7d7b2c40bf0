"""Event counter of a job and log ends of its attempts, for followers. Two small queries."""

from dataclasses import dataclass
from uuid import UUID

from jobs.contract import TERMINAL, JobStatus
from jobs.models import Attempt, Job


@dataclass(frozen=True, slots=True)
class LiveLog:
    """State of the log of one attempt."""

    attempt_id: UUID
    number: int
    end: int
    closed: bool
    sealed: bool
    gone: bool


@dataclass(frozen=True, slots=True)
class LiveState:
    """State of a job, for comparison by its followers.

    `logs`: logs of the followed attempt and of later ones, in order.
    """

    project_id: UUID
    event_seq: int
    status: JobStatus
    logs: tuple[LiveLog, ...]

    @property
    def ended(self) -> bool:
        return self.status in TERMINAL


def live_state(*, job_id: UUID, attempt: int | None) -> LiveState:
    """Return the state of a job with the logs from `attempt` on. None: the latest log only.

    The job is read before its attempts: the last attempt read with an ended job is its last one.
    Raises: Job.DoesNotExist.
    """
    job = Job.objects.values("project_id", "event_seq", "status").get(id=job_id)
    rows = Attempt.objects.filter(job_id=job_id)
    rows = (
        rows.order_by("-number")[:1]
        if attempt is None
        else rows.filter(number__gte=attempt).order_by("number")
    )
    found = rows.values_list("id", "number", "log_end", "log_closed_at", "log_object", "gone_at")
    logs = tuple(
        LiveLog(id_, number, end, closed is not None, name is not None, gone is not None)
        for id_, number, end, closed, name, gone in found
    )
    return LiveState(job["project_id"], job["event_seq"], JobStatus(job["status"]), logs)
