"""Submission of a job: validate the request, resolve its inputs, insert one row, wake admission."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NotRequired, TypedDict, Unpack

import structlog
from django.conf import settings
from django.db import IntegrityError, transaction

from jobs.admission.snapshot import queued_count
from jobs.clusters.listing import place_faults
from jobs.contract import EventKind, JobStatus, Priority
from jobs.core import feed
from jobs.core.metrics import submitted_count
from jobs.core.recommended import recommended_dict
from jobs.core.sizing import Sizing
from jobs.core.transition import wake_on_commit
from jobs.lifecycle.amounts import JobAmounts, job_amounts
from jobs.lifecycle.idempotency import is_same_request, request_digest
from jobs.lifecycle.inputs import Inputs, deleted_inputs, input_rows_create, inputs_of
from jobs.models import SQL_TITLES, Job, JobEvent, JobSearch
from jobs.types.inputs import InputRow, inputs_resolve
from jobs.types.registry import SPECS, check_parameters, derived_title
from mimir.lib.clock import utc_now
from mimir.lib.errors import Conflict, Invalid, TooMany
from mimir.lib.json_types import JsonObject
from projects.models import Project, ProjectStatus

if TYPE_CHECKING:
    from django.contrib.auth.models import User

log = structlog.get_logger(__name__)

ATTEMPTS_MAX = 20
TIMEOUT_SECONDS_MAX = 30 * 86400
LABELS_MAX = 32
NAME_MAX = 200


class RequestedResources(TypedDict, total=False):
    """Limits of a job as Kubernetes quantities.

    `memory_max`: largest memory limit of the retries after out-of-memory ends.
    """

    cpu: str | int | float
    memory: str | int
    memory_max: str | int
    gpu: int


class JobFields(TypedDict):
    """Fields of a submit request. An absent field and None mean the default."""

    type: str
    parameters: JsonObject
    name: NotRequired[str]
    labels: NotRequired[dict[str, str] | None]
    priority: NotRequired[Priority | None]
    resources: NotRequired[RequestedResources | None]
    timeout_seconds: NotRequired[int | None]
    max_attempts: NotRequired[int | None]
    cluster: NotRequired[str | None]
    region: NotRequired[str | None]


@dataclass(frozen=True, slots=True)
class Submitted:
    """A submitted job. `created` is False if an earlier request with the same key created it."""

    job: Job
    created: bool


@dataclass(frozen=True, slots=True)
class JobRequest:
    """A valid request with all defaults and inputs resolved, as the job's row stores it."""

    type: str
    parameters: JsonObject
    name: str
    labels: dict[str, str]
    priority: Priority
    amounts: JobAmounts
    timeout_seconds: int
    max_attempts: int
    inputs: Sequence[InputRow]
    exclusive_key: str
    cluster: str = ""
    region: str = ""

    @property
    def resources(self) -> dict[str, dict[str, int]]:
        """Requests and limits as in the job's row."""
        return self.amounts.stored

    @property
    def sizing(self) -> Sizing | None:
        """Measured use of the producer's last runs, if it was read."""
        return self.amounts.sizing


def job_check(
    *,
    project: Project,
    fixed_inputs: Sequence[InputRow] | None = None,
    **request: Unpack[JobFields],
) -> JobRequest:
    """Return the valid request with its inputs resolved. Writes nothing.

    `fixed_inputs`: inputs of the retried job.
    Raises: Invalid with the path of every bad field; Conflict for an archived project.
    """
    if project.status == ProjectStatus.ARCHIVED:
        raise Conflict(
            "The project is archived. A maintainer can activate it again.",
            code="project_archived",
        )
    job_type, parameters = request["type"], request["parameters"]
    faults = {fault.path: fault.message for fault in check_parameters(job_type, parameters)}
    name = request.get("name", "")
    labels = _labels(request.get("labels") or {}, faults)
    timeout = _or_default(request.get("timeout_seconds"), settings.ENV.job_timeout)
    attempts = _or_default(request.get("max_attempts"), 1)
    cluster, region = request.get("cluster") or "", request.get("region") or ""
    _bounds("timeout_seconds", timeout, TIMEOUT_SECONDS_MAX, faults)
    _bounds("max_attempts", attempts, ATTEMPTS_MAX, faults)
    if "\x00" in name or len(name) > NAME_MAX:
        faults["name"] = f"must have at most {NAME_MAX} characters and no NUL character"
    faults |= place_faults(cluster=cluster, region=region)
    amounts = job_amounts(project, job_type, parameters, request.get("resources"), faults)
    inputs = _inputs(project, job_type, parameters, fixed_inputs, faults)
    if faults or amounts is None:
        raise Invalid("The job is invalid. See the errors of its fields.", detail=faults)
    return JobRequest(
        type=job_type,
        parameters=parameters,
        name=name,
        labels=labels,
        priority=request.get("priority") or SPECS[job_type].default_priority,
        amounts=amounts,
        timeout_seconds=timeout,
        max_attempts=attempts,
        inputs=inputs.rows,
        exclusive_key=inputs.exclusive_key,
        cluster=cluster,
        region=region,
    )


def _or_default(value: int | None, default: int) -> int:
    return default if value is None else value


def _inputs(
    project: Project,
    job_type: str,
    parameters: JsonObject,
    fixed: Sequence[InputRow] | None,
    faults: dict[str, str],
) -> Inputs:
    """Return the fixed inputs, or those named by valid parameters. Raises: Conflict."""
    inputs = inputs_of(fixed or [])
    if gone := deleted_inputs(inputs.rows):
        raise _deleted(gone)
    if fixed is None and not faults:
        rows = inputs_resolve(
            job_type=job_type, project=project, parameters=parameters, faults=faults
        )
        return inputs_of(rows)
    return inputs


def job_submit(
    *,
    project: Project,
    user: "User | None",
    idempotency_key: str | None = None,
    retry_of: Job | None = None,
    fixed_inputs: Sequence[InputRow] | None = None,
    **request: Unpack[JobFields],
) -> Submitted:
    """Check the request and insert a job, or return the job created earlier with the same key.

    `fixed_inputs`: inputs of `retry_of`, which a retry reads again.
    Raises: Invalid; TooMany; Conflict (archived project, deleted input, or
    `idempotency_conflict` if the key was used with another request).
    """
    identity = {**request, **({"retry_of": retry_of.id} if retry_of else {})}
    if earlier := _earlier(project, user, idempotency_key, identity):
        return Submitted(earlier, created=False)
    checked = job_check(project=project, fixed_inputs=fixed_inputs, **request)
    queue_check(project=project)
    digest = "" if idempotency_key is None else request_digest(identity)
    try:
        with transaction.atomic():
            job = _insert(project, user, checked, idempotency_key, digest, retry_of)
    except IntegrityError:
        # A concurrent request with the same key has committed, or an input was deleted meanwhile.
        if earlier := _earlier(project, user, idempotency_key, identity):
            return Submitted(earlier, created=False)
        if deleted := deleted_inputs(checked.inputs):
            raise _deleted(deleted) from None
        raise
    return Submitted(job, created=True)


def queue_check(*, project: Project) -> None:
    """Check that the project's queue takes one more job. Raises: TooMany."""
    queued_max = settings.ENV.queued_jobs_per_project
    if queued_count(project_id=project.id) >= queued_max:
        raise TooMany(
            f"The queue of this project is full: {queued_max} jobs wait"
            " (QUEUED_JOBS_PER_PROJECT). Submit again when some have started.",
            retry_after_seconds=30,
        )


def _deleted(versions: list[str]) -> Conflict:
    return Conflict(
        f"Deleted: {', '.join(versions)}. Submit a new job with another version.",
        code="input_deleted",
    )


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
        idempotency_digest=digest,
        type=checked.type,
        parameters=checked.parameters,
        name=checked.name,
        labels=checked.labels,
        priority=checked.priority,
        resources=checked.resources,
        memory_max_bytes=checked.amounts.memory_max_bytes,
        memory_raised_from_bytes=retry_of.memory_raised_from_bytes
        if retry_of
        else checked.amounts.memory_raised_from_bytes,
        timeout_seconds=checked.timeout_seconds,
        max_attempts=checked.max_attempts,
        inputs=checked.inputs,
        exclusive_key=checked.exclusive_key,
        cluster=checked.cluster,
        region=checked.region,
        event_seq=1,
    )
    input_rows_create(job)
    _titles_store(job)
    JobEvent.objects.create(
        job=job,
        seq=1,
        at=utc_now(),
        attempt=1,
        kind=EventKind.SUBMITTED,
        actor=f"user:{user.get_username()}" if user else "system",
        data=_submitted_data(job, checked),
    )
    submitted_count(job=job)
    feed.publish_job(job_id=job.id, project_id=project.id)
    _log_on_commit(job, project.slug)
    wake_on_commit(job=job)
    return job


def _log_on_commit(job: Job, project: str) -> None:
    """Log the submission on commit."""
    transaction.on_commit(
        lambda: log.info("job submitted", job_id=str(job.id), project=project, type=job.type),
        robust=True,
    )


def _titles_store(job: Job) -> None:
    """Store the search titles of a job if the SQL function does not derive them for its type."""
    if job.type not in SQL_TITLES:
        titles = (job.name, derived_title(job.type, job.parameters), SPECS[job.type].title)
        JobSearch.objects.filter(job=job).update(titles="\n".join(titles))


def _submitted_data(job: Job, checked: JobRequest) -> dict[str, object]:
    """Return the data of the first event. An absent key stands for None."""
    earlier = checked.amounts.memory_from_job
    data = {
        "status": JobStatus.QUEUED,
        "retry_of": str(job.retry_of_id) if job.retry_of_id else None,
        "recommended": recommended_dict(job.resources),
        "memory_from_job": str(earlier) if earlier else None,
        "memory_bytes": job.resources["limits"]["memory_bytes"] if earlier else None,
    }
    return {name: value for name, value in data.items() if value is not None}


def _earlier(
    project: Project, user: "User | None", key: str | None, request: Mapping[str, object]
) -> Job | None:
    """Return the job created with this key, if any. Raises: Conflict for another request."""
    if key is None:
        return None
    job = Job.objects.filter(project=project, created_by=user, idempotency_key=key).first()
    if job is not None and not is_same_request(job.idempotency_digest, request):
        raise Conflict(
            "This Idempotency-Key was used with another body. Use a new key for a new job.",
            code="idempotency_conflict",
            detail={"job": str(job.id)},
        )
    return job


def _labels(labels: dict[str, str], faults: dict[str, str]) -> dict[str, str]:
    if len(labels) > LABELS_MAX:
        faults["labels"] = f"must have at most {LABELS_MAX} entries"
    for key, value in labels.items():
        if not isinstance(value, str) or len(key) > 63 or len(value) > 200 or "\x00" in key + value:
            faults[f"labels.{key[:63]}"] = (
                "must be text of at most 200 characters, under a key of at most 63"
            )
    return labels


def _bounds(path: str, value: object, high: int, faults: dict[str, str]) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= high:
        faults[path] = f"must be a whole number from 1 to {high}"
