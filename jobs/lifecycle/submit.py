"""A job comes into being: checked whole, its inputs fixed, one row, then a wake on commit."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog
from django.conf import settings
from django.db import IntegrityError, transaction

from jobs.admission.snapshot import queued_count
from jobs.clusters.check import Launch
from jobs.clusters.listing import place_faults
from jobs.clusters.machine import machine
from jobs.contract import EventKind, JobStatus, Priority
from jobs.core import feed
from jobs.core.metrics import submitted_count
from jobs.core.resources import Profile, as_dict, profiles_with, resolve
from jobs.core.transition import wake_on_commit
from jobs.lifecycle.inputs import Inputs, deleted_inputs, input_rows_create, inputs_of
from jobs.models import Job, JobEvent
from jobs.types.inputs import InputRow, inputs_resolve
from jobs.types.registry import SPECS, builtin_profiles, check_parameters
from mimir.lib.clock import utc_now
from mimir.lib.errors import Conflict, Invalid, TooMany
from projects.models import Project, ProjectStatus

if TYPE_CHECKING:
    from django.contrib.auth.models import User

log = structlog.get_logger(__name__)

ATTEMPTS_MAX = 20
TIMEOUT_SECONDS_MAX = 30 * 86400
LABELS_MAX = 32


@dataclass(frozen=True, slots=True)
class Submitted:
    """A submitted job; `created` is False when the Idempotency-Key had brought it before."""

    job: Job
    created: bool


@dataclass(frozen=True, slots=True)
class JobRequest:
    """A checked request: what a job's row holds of it."""

    type: str
    parameters: dict[str, Any]
    name: str
    labels: dict[str, str]
    priority: Priority
    resources: dict[str, dict[str, int]]
    timeout_seconds: int
    max_attempts: int
    inputs: Sequence[InputRow]
    exclusive_key: str
    cluster: str = ""
    region: str = ""


def job_check(
    *,
    project: Project,
    type: str,
    parameters: dict[str, Any],
    name: str = "",
    labels: dict[str, str] | None = None,
    priority: Priority | None = None,
    resources: dict[str, Any] | None = None,
    timeout_seconds: int | None = None,
    max_attempts: int | None = None,
    cluster: str | None = None,
    region: str | None = None,
    fixed_inputs: Sequence[InputRow] | None = None,
) -> JobRequest:
    """The request, checked whole, with its inputs fixed; writes nothing. `fixed_inputs`: those of the job that is run again.

    Raises: Invalid with every bad field's path; Conflict for an archived project.
    """
    if project.status == ProjectStatus.ARCHIVED:
        raise Conflict(
            "The project is archived: a maintainer can make it active again.",
            code="project_archived",
        )
    faults: dict[str, str] = {}
    faults |= {fault.path: fault.message for fault in check_parameters(type, parameters)}
    labels = _labels(labels or {}, faults)
    timeout = settings.ENV.job_timeout if timeout_seconds is None else timeout_seconds
    attempts = 1 if max_attempts is None else max_attempts
    _bounds("timeout_seconds", timeout, TIMEOUT_SECONDS_MAX, faults)
    _bounds("max_attempts", attempts, ATTEMPTS_MAX, faults)
    if "\x00" in name or len(name) > 200:
        faults["name"] = "has to have at most 200 characters and no U+0000"
    faults |= place_faults(cluster=cluster or "", region=region or "")
    profile = _profile(type, resources, faults)
    inputs = _inputs(project, type, parameters, fixed_inputs, faults)
    if faults or profile is None:
        raise Invalid("The job cannot be accepted: see the fields.", detail=faults)
    return JobRequest(
        type=type,
        parameters=parameters,
        name=name,
        labels=labels,
        priority=priority or SPECS[type].default_priority,
        resources=as_dict(profile),
        timeout_seconds=timeout,
        max_attempts=attempts,
        inputs=inputs.rows,
        exclusive_key=inputs.exclusive_key,
        cluster=cluster or "",
        region=region or "",
    )


def _inputs(
    project: Project,
    job_type: str,
    parameters: dict[str, Any],
    fixed: Sequence[InputRow] | None,
    faults: dict[str, str],
) -> Inputs:
    """The versions that the job reads: those of the job that is run again, else what its parameters name, once these have no faults."""
    inputs = inputs_of(fixed or [])
    if gone := deleted_inputs(inputs.rows):
        raise _deleted(gone)
    if fixed is None and not faults:
        rows = inputs_resolve(
            job_type=job_type, project=project, parameters=parameters, faults=faults
        )
        return inputs_of(rows)
    return inputs


def _profile(job_type: str, asked: dict[str, Any] | None, faults: dict[str, str]) -> Profile | None:
    """What the job requests and may use; None with what is wrong in `faults`."""
    try:
        return resolve(asked, profiles()[job_type])
    except Invalid as invalid:
        faults |= invalid.detail
        return None


def job_submit(
    *,
    project: Project,
    user: "User | None",
    idempotency_key: str | None = None,
    retry_of: Job | None = None,
    fixed_inputs: Sequence[InputRow] | None = None,
    **request: Any,
) -> Submitted:
    """Check and insert a job; the fields of `request` are those of `job_check`. `fixed_inputs`: a retry reads what the first one read.

    Raises: Invalid, Conflict (archived, or `idempotency_conflict`: the key came with another body), TooMany.
    """
    digest = _digest(request | ({"retry_of": retry_of.id} if retry_of else {}))
    if idempotency_key is not None:
        earlier = _earlier(project, user, idempotency_key, digest)
        if earlier is not None:
            return Submitted(earlier, created=False)
    checked = job_check(project=project, fixed_inputs=fixed_inputs, **request)
    if queued_count(project_id=project.id) >= settings.ENV.queued_jobs_per_project:
        raise TooMany(
            f"{settings.ENV.queued_jobs_per_project} jobs of this project wait already (QUEUED_JOBS_PER_PROJECT): submit when some have started.",
            retry_after_seconds=30,
        )
    try:
        with transaction.atomic():
            job = _insert(project, user, checked, idempotency_key, digest, retry_of)
    except IntegrityError:
        # Two requests with one key at the same time: the other one has committed. Or an input was deleted since it was looked up.
        earlier = (
            _earlier(project, user, idempotency_key, digest)
            if idempotency_key is not None
            else None
        )
        if earlier is not None:
            return Submitted(earlier, created=False)
        if gone := deleted_inputs(checked.inputs):
            raise _deleted(gone) from None
        raise
    return Submitted(job, created=True)


def _deleted(versions: list[str]) -> Conflict:
    return Conflict(
        f"Deleted and not available any more: {', '.join(versions)}. Submit a new job with another version.",
        code="input_deleted",
    )


def profiles() -> dict[str, Profile]:
    """The resource profiles in force: the built-in ones, on the process launcher cut to the machine, with RESOURCE_PROFILES applied."""
    text = settings.ENV.resource_profiles
    here = machine() if settings.ENV.launcher == Launch.PROCESS else None
    return profiles_with(json.loads(text) if text else {}, builtin=builtin_profiles(), machine=here)


def _insert(
    project: Project,
    user: "User | None",
    checked: JobRequest,
    idempotency_key: str | None,
    digest: str,
    retry_of: Job | None,
) -> Job:
    job = Job.objects.create(
        project=project,
        created_by=user,
        retry_of=retry_of,
        idempotency_key=idempotency_key,
        idempotency_digest=digest if idempotency_key is not None else "",
        type=checked.type,
        parameters=checked.parameters,
        name=checked.name,
        labels=checked.labels,
        priority=checked.priority,
        resources=checked.resources,
        timeout_seconds=checked.timeout_seconds,
        max_attempts=checked.max_attempts,
        inputs=checked.inputs,
        exclusive_key=checked.exclusive_key,
        cluster=checked.cluster,
        region=checked.region,
        event_seq=1,
    )
    input_rows_create(job)
    JobEvent.objects.create(
        job=job,
        seq=1,
        at=utc_now(),
        attempt=1,
        kind=EventKind.SUBMITTED,
        actor=f"user:{user.get_username()}" if user else "system",
        data={"status": JobStatus.QUEUED} | ({"retry_of": str(retry_of.id)} if retry_of else {}),
    )
    submitted_count(job=job)
    feed.publish_job(job_id=job.id, project_id=project.id)
    transaction.on_commit(
        lambda: log.info("job submitted", job_id=str(job.id), project=project.slug, type=job.type),
        robust=True,
    )
    wake_on_commit(job=job)
    return job


def _digest(request: dict[str, Any]) -> str:
    """Of what was asked. A cluster or region left empty is one left out: releases that knew neither made the same digest."""
    said = {
        name: value for name, value in request.items() if value or name not in ("cluster", "region")
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()


def _earlier(project: Project, user: "User | None", key: str, digest: str) -> Job | None:
    job = Job.objects.filter(project=project, created_by=user, idempotency_key=key).first()
    if job is not None and job.idempotency_digest != digest:
        raise Conflict(
            "This Idempotency-Key came before with another body: use a new key for a new job.",
            code="idempotency_conflict",
            detail={"job": str(job.id)},
        )
    return job


def _labels(labels: dict[str, str], faults: dict[str, str]) -> dict[str, str]:
    if len(labels) > LABELS_MAX:
        faults["labels"] = f"may have {LABELS_MAX} entries"
    for key, value in labels.items():
        if not isinstance(value, str) or len(key) > 63 or len(value) > 200 or "\x00" in key + value:
            faults[f"labels.{key[:63]}"] = (
                "has to be text of at most 200 characters, under a key of at most 63"
            )
    return labels


def _bounds(path: str, value: object, high: int, faults: dict[str, str]) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= high:
        faults[path] = f"has to be a whole number from 1 to {high}"
