"""Jobs as those who may see them see them: one access function, lists, counts, the public shape."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet

from jobs.admission.waiting import job_waiting
from jobs.contract import ArtifactRole, JobStatus
from jobs.core.resources import Amounts, format_cpu, format_memory, from_dict
from jobs.lifecycle.inputs_read import public_inputs
from jobs.models import Artifact, Attempt, Job
from jobs.queries.search import id_ends, titled_like
from jobs.reconcile.silence import job_away
from mimir.lib.errors import NotFound
from projects.core.access import demand, role_subquery
from projects.models import Project, Role

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def job_for(user: "User", job_id: UUID, need: Role = Role.VIEWER) -> Job:
    """The job, if `user` may at least `need` in its project: one query. Its `access_role` is what they may.

    Raises: NotFound for missing and for not a member, PermissionDenied for a member of a lesser role.
    """
    job = _shown().annotate(access_role=role_subquery(user, "project_id")).filter(id=job_id).first()
    if job is None:
        raise NotFound("There is nothing here.")
    demand(getattr(job, "access_role"), need)  # noqa: B009 - an annotation of the query
    return job


def _shown() -> "QuerySet[Job, Job]":
    return Job.objects.select_related("project", "created_by")


def job_list(
    *,
    project: Project,
    statuses: Sequence[str] = (),
    job_type: str | None = None,
    text: str | None = None,
    label: str | None = None,
) -> "QuerySet[Job, Job]":
    """A project's jobs, to be ordered by `-created_at, -id`.

    `text`: part of the given or derived title, or the end of the id. `label`: `key` or `key=value`.
    """
    jobs = _shown().filter(project=project)
    if statuses:
        jobs = jobs.filter(status__in=statuses)
    if job_type:
        jobs = jobs.filter(type=job_type)
    if text:
        jobs = jobs.filter(titled_like(text) | id_ends(text))
    if label:
        key, given, value = label.partition("=")
        jobs = (
            jobs.filter(labels__contains={key: value})
            if given
            else jobs.filter(labels__has_key=key)
        )
    return jobs


def jobs_by_id(*, project_id: UUID, ids: Sequence[UUID]) -> list[Job]:
    """Those of `ids` that belong to the project."""
    return list(_shown().filter(project_id=project_id, id__in=ids))


def job_counts(*, project: Project) -> dict[str, int]:
    """How many jobs stand in each status, counted up to `COUNTED_MAX`: a larger number only says that there are more."""
    with connection.cursor() as cursor:
        cursor.execute(
            _COUNTS, [project.id, COUNTED_MAX + 1, [status.value for status in JobStatus]]
        )
        return dict(cursor.fetchall())


COUNTED_MAX = 10_000
# In an index's order: the first rows of the table that fit would be found by reading all that do not.
_COUNTS = """
SELECT asked.status,
    (SELECT count(*) FROM (
        SELECT 1 FROM jobs_job WHERE project_id = %s AND status = asked.status ORDER BY created_at DESC LIMIT %s
    ) AS counted)
FROM unnest(%s::text[]) AS asked (status)
"""


def recent_positions(*, project_id: UUID, limit: int) -> dict[UUID, int]:
    """The newest jobs and every one that has not ended, each with its last event's seq: what a follower compares itself with."""
    rows = Job.objects.filter(project_id=project_id)
    newest = rows.order_by("-created_at", "-id").values_list("id", "event_seq")[:limit]
    open_jobs = (
        rows.filter(finished_at__isnull=True)
        .order_by("created_at")
        .values_list("id", "event_seq")[: 10 * limit]
    )
    return dict(newest) | dict(open_jobs)


def attempt_of(*, job: Job, number: int | None) -> Attempt | None:
    """One attempt, the latest without a number; None for one that still waits for its worker. Raises: NotFound for any other number."""
    rows = Attempt.objects.filter(job=job).select_related("cluster")
    if number is None:
        return rows.order_by("-number").first()
    found = rows.filter(number=number).first()
    if found is None and number != job.attempt:
        raise NotFound(f"This job has no attempt {number}.")
    return found


def attempts_of(*, job: Job) -> "QuerySet[Attempt, Attempt]":
    """Every attempt, in order."""
    return Attempt.objects.filter(job=job).order_by("number")


def artifacts_of(*, job: Job) -> "QuerySet[Artifact, Artifact]":
    """What people see of the files its latest attempt left, to be ordered by name."""
    latest = Attempt.objects.filter(job=job).order_by("-number").values("id")[:1]
    return Artifact.objects.filter(attempt__in=latest, role=ArtifactRole.ARTIFACT)


def artifact_get(*, job: Job, name: str) -> Artifact:
    """One of them. Raises: NotFound."""
    found = artifacts_of(job=job).filter(name=name).first() if "\x00" not in name else None
    if found is None:
        raise NotFound(f"This job left no artifact {name[:200]}.")
    return found


def jobs_as_dicts(jobs: Sequence[Job]) -> list[dict[str, Any]]:
    """The public shape of jobs, with why each queued one waits, and which live ones are not heard of: one snapshot for all."""
    waiting, away = job_waiting(jobs), job_away(jobs)
    return [job_dict(job, waiting.get(job.id), away.get(job.id)) for job in jobs]


def job_dict(
    job: Job, waiting: Mapping[str, Any] | None, away: Mapping[str, Any] | None
) -> dict[str, Any]:
    """One job as API, sockets and pages show it: JSON values only."""
    profile = from_dict(job.resources)
    return {
        "id": str(job.id),
        "project": job.project.slug,
        "name": job.name,
        "labels": job.labels,
        "created_by": job.created_by.get_username() if job.created_by else None,
        "type": job.type,
        "status": job.status,
        "reason": job.reason,
        "message": job.message,
        "diagnosis": job.diagnosis,
        "priority": job.priority,
        "parameters": job.parameters,
        "inputs": public_inputs(job),
        "resources": {**_quantities(profile.limits), "requests": _quantities(profile.requests)},
        "timeout_seconds": job.timeout_seconds,
        "progress": {"fraction": job.progress_fraction, "message": job.progress_message},
        "attempt": job.attempt,
        "attempts_used": job.attempts_used,
        "max_attempts": job.max_attempts,
        "cluster": job.cluster or None,
        "region": job.region or None,
        "created_at": _time(job.created_at),
        "started_at": _time(job.started_at),
        "finished_at": _time(job.finished_at),
        "cancel_requested_at": _time(job.cancel_requested_at),
        "result": job.result,
        "waiting": waiting,
        "away": away,
        "retry_of": str(job.retry_of_id) if job.retry_of_id else None,
    }


def _quantities(amounts: Amounts) -> dict[str, Any]:
    return {
        "cpu": format_cpu(amounts.cpu_millicores),
        "memory": format_memory(amounts.memory_bytes),
        "gpu": amounts.gpus,
    }


def _time(at: dt.datetime | None) -> str | None:
    return at.isoformat() if at else None
