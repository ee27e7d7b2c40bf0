"""Jobs as API and pages see them: access, lists, counts and the public body."""

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet

from jobs.admission.shapes import WaitingBody
from jobs.admission.waiting import job_waiting
from jobs.contract import ArtifactRole, JobStatus
from jobs.core.recommended import recommended_dict
from jobs.core.resources import Amounts, format_cpu, format_memory, from_dict
from jobs.diagnosis.stored import read_diagnosis
from jobs.lifecycle.inputs_read import public_inputs
from jobs.models import Artifact, Attempt, Job
from jobs.queries.search import found_by, id_ends, labelled, titled_like
from jobs.queries.shapes import JobBody, QuantitiesBody
from jobs.queries.status_text import status_label, status_text
from jobs.reconcile.silence import AwayBody, job_away
from mimir.lib.errors import NotFound
from projects.core.access import demand, role_subquery
from projects.models import Project, Role

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def job_for(user: "User", job_id: UUID, need: Role = Role.VIEWER) -> Job:
    """Return the job if `user` has at least the role `need` in its project, with one query.

    Sets `access_role`. Raises: NotFound for a missing job or a non-member, PermissionDenied for a
    member with a lower role.
    """
    job = (
        _with_relations()
        .annotate(access_role=role_subquery(user, "project_id"))
        .filter(id=job_id)
        .first()
    )
    if job is None:
        raise NotFound()
    demand(getattr(job, "access_role"), need)  # noqa: B009 - an annotation of the query
    return job


def _with_relations() -> "QuerySet[Job, Job]":
    return Job.objects.select_related("project", "created_by")


def job_list(
    *,
    project: Project,
    statuses: Sequence[str] = (),
    job_type: str | None = None,
    text: str | None = None,
    label: str | None = None,
) -> "QuerySet[Job, Job]":
    """Return a project's jobs, to be ordered by `-created_at, -id`.

    `text` is part of the given or derived title, or the end of the id. `label` is `key` or
    `key=value`.
    """
    jobs = _with_relations().filter(project=project)
    if statuses:
        jobs = jobs.filter(status__in=statuses)
    if job_type:
        jobs = jobs.filter(type=job_type)
    conditions = [titled_like(text) | id_ends(text)] if text else []
    if label:
        conditions.append(labelled(label))
    return jobs.filter(found_by(*conditions)) if conditions else jobs


def jobs_by_id(*, project_id: UUID, ids: Sequence[UUID]) -> list[Job]:
    """Return the jobs of `ids` that belong to the project."""
    return list(_with_relations().filter(project_id=project_id, id__in=ids))


def job_counts(*, project: Project) -> dict[str, int]:
    """Count the jobs in each status, up to `COUNTED_MAX`; a larger number means "more"."""
    with connection.cursor() as cursor:
        cursor.execute(
            _COUNTS, [project.id, COUNTED_MAX + 1, [status.value for status in JobStatus]]
        )
        return dict(cursor.fetchall())


COUNTED_MAX = 10_000
# In the order of `job_list_by_status`. Otherwise the planner may scan other rows for the LIMIT.
_COUNTS = """
SELECT wanted.status,
    (SELECT count(*) FROM (
        SELECT 1 FROM jobs_job WHERE project_id = %s AND status = wanted.status
        ORDER BY created_at DESC LIMIT %s
    ) AS counted)
FROM unnest(%s::text[]) AS wanted (status)
"""


def recent_positions(*, project_id: UUID, limit: int) -> dict[UUID, int]:
    """Return the ids of the newest and of the unended jobs, with the `seq` of their last event.

    `limit` newest jobs, and the oldest jobs that have not ended, at most 10 times `limit`.
    Subscribers compare the numbers with their state.
    """
    rows = Job.objects.filter(project_id=project_id)
    newest = rows.order_by("-created_at", "-id").values_list("id", "event_seq")[:limit]
    open_jobs = (
        rows.filter(finished_at__isnull=True)
        .order_by("created_at")
        .values_list("id", "event_seq")[: 10 * limit]
    )
    return dict(newest) | dict(open_jobs)


def attempt_of(*, job: Job, number: int | None) -> Attempt | None:
    """Return one attempt, by default the latest.

    None: the job has no attempt yet, or `number` is its next attempt. Raises: NotFound.
    """
    rows = Attempt.objects.filter(job=job).select_related("cluster")
    if number is None:
        return rows.order_by("-number").first()
    found = rows.filter(number=number).first()
    if found is None and number != job.attempt:
        raise NotFound(f"This job has no attempt {number}.")
    return found


def attempts_of(*, job: Job) -> "QuerySet[Attempt, Attempt]":
    """Return all attempts in order."""
    return Attempt.objects.filter(job=job).order_by("number")


def artifacts_of(*, job: Job) -> "QuerySet[Artifact, Artifact]":
    """Return the visible artifacts of the latest attempt, to be ordered by name."""
    latest = Attempt.objects.filter(job=job).order_by("-number").values("id")[:1]
    return Artifact.objects.filter(attempt__in=latest, role=ArtifactRole.ARTIFACT)


def artifact_get(*, job: Job, name: str) -> Artifact:
    """Return a visible artifact of the latest attempt. Raises: NotFound."""
    found = artifacts_of(job=job).filter(name=name).first() if "\x00" not in name else None
    if found is None:
        raise NotFound(f"This job has no artifact {name[:200]}.")
    return found


def jobs_as_dicts(jobs: Sequence[Job]) -> list[JobBody]:
    """Return the API bodies of jobs, with waiting reasons and unreachable clusters or nodes.

    One snapshot of the queue serves all jobs.
    """
    waiting, away = job_waiting(jobs), job_away(jobs)
    return [job_dict(job, waiting.get(job.id), away.get(job.id)) for job in jobs]


def job_dict(job: Job, waiting: WaitingBody | None, away: AwayBody | None) -> JobBody:
    """Return a job's body for API, sockets and pages: JSON values only."""
    profile = from_dict(job.resources)
    body: JobBody = {
        "id": str(job.id),
        "project": job.project.slug,
        "name": job.name,
        "labels": job.labels,
        "created_by": job.created_by.get_username() if job.created_by else None,
        "type": job.type,
        "status": job.status,
        "status_label": "",
        "status_text": "",
        "reason": job.reason,
        "message": job.message,
        "diagnosis": read_diagnosis(job.diagnosis),
        "priority": job.priority,
        "parameters": job.parameters,
        "inputs": public_inputs(job),
        "resources": {
            **_quantities(profile.limits),
            "memory_max": format_memory(job.memory_max_bytes) if job.memory_max_bytes else None,
            "requests": _quantities(profile.requests),
            "recommended": recommended_dict(job.resources),
        },
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
    body["status_label"] = status_label(body)
    body["status_text"] = status_text(body)
    return body


def _quantities(amounts: Amounts) -> QuantitiesBody:
    return {
        "cpu": format_cpu(amounts.cpu_millicores),
        "memory": format_memory(amounts.memory_bytes),
        "gpu": amounts.gpus,
    }


def _time(at: dt.datetime | None) -> str | None:
    return at.isoformat() if at else None
