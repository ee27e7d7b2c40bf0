"""Untrusted heartbeats, events and artifacts of a running worker, for its own attempt only."""

import datetime as dt
import json
from collections.abc import Sequence
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.models import Count, Sum
from django.db.models.functions import Coalesce

from jobs.contract import WORKER_EVENT_KINDS, ArtifactRole, EventKind, JobStatus
from jobs.contract.protocol import HeartbeatResponse
from jobs.core.transition import attempt_lock, events_add
from jobs.lifecycle.heartbeat_rate import heartbeat_seconds
from jobs.lifecycle.values import WorkerEvent
from jobs.models import Artifact, Attempt, Job
from mimir.lib.clock import utc_now
from mimir.lib.errors import Conflict, Gone, Invalid, MimirError, TooLarge
from mimir.lib.json_values import is_number
from projects.models import Project
from projects.storage.quota import QuotaExceeded, storage_demand


def _fenced() -> Gone:
    return Gone(
        "This attempt is fenced: another attempt runs, or the job has ended.", code="fenced"
    )


def heartbeat_record(
    *, attempt_id: UUID, memory_bytes: int, peak_memory_bytes: int, cpu_millicores: int
) -> HeartbeatResponse:
    """Record a heartbeat. Raises: Gone if the attempt is fenced, ended or not claimed.

    The time comes from the database, whose clock also measures the age of heartbeats.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _BEAT,
            {
                "id": attempt_id,
                "at": utc_now(),
                "memory": memory_bytes,
                "peak": peak_memory_bytes,
                "cpu": cpu_millicores,
            },
        )
        row = cursor.fetchone()
    if row is None:
        raise _fenced()
    return heartbeat_response(*row)


def heartbeat_response(
    claimed_at: dt.datetime, status: str, timeout_seconds: int
) -> HeartbeatResponse:
    """Return the response to a heartbeat, from the attempt's claim and its job."""
    return {
        "cancel": status == JobStatus.CANCELLING,
        "timeout_at": (claimed_at + dt.timedelta(seconds=timeout_seconds)).isoformat(),
        "heartbeat_seconds": heartbeat_seconds(),
    }


_BEAT = """
WITH beat AS (
    UPDATE jobs_attempt SET heartbeat_at = clock_timestamp(),
        peak_memory_bytes = greatest(coalesce(peak_memory_bytes, 0), %(peak)s)
    WHERE id = %(id)s AND fenced_at IS NULL AND ended_at IS NULL AND claim_id IS NOT NULL
    RETURNING id, job_id, claimed_at
), sample AS (
    INSERT INTO jobs_usagesample (attempt_id, at, memory_bytes, cpu_millicores)
    SELECT id, %(at)s, %(memory)s, %(cpu)s FROM beat
)
SELECT beat.claimed_at, job.status, job.timeout_seconds
FROM beat JOIN jobs_job AS job ON job.id = beat.job_id
"""


def events_record(*, attempt_id: UUID, events: Sequence[WorkerEvent]) -> int:
    """Store the events that are not stored yet; return the highest stored `n`.

    Raises: Gone; Conflict `gap` with the last stored `n` in its detail; TooLarge over a limit;
    Invalid for a kind that workers must not send.
    """
    events_check(events)
    with transaction.atomic():
        job, attempt = attempt_lock(attempt_id=attempt_id)
        if attempt.fenced_at or attempt.ended_at or attempt.claim_id is None:
            raise _fenced()
        if events_insert(job=job, attempt=attempt, events=events):
            attempt.save(update_fields=["event_n"])
    return attempt.event_n


def events_insert(*, job: Job, attempt: Attempt, events: Sequence[WorkerEvent]) -> bool:
    """Insert the checked events that are not stored yet; return whether there are any.

    The caller holds both locks and saves `event_n` of the attempt. Raises: Conflict `gap`;
    TooLarge.
    """
    new = [event for event in events if event.n > attempt.event_n]
    for index, event in enumerate(new, start=attempt.event_n + 1):
        if event.n != index:
            raise Conflict(
                "Events are missing before this one.",
                code="gap",
                detail={"last": attempt.event_n},
            )
    if not new:
        return False
    if new[-1].n > settings.ENV.event_count_max:
        raise TooLarge(
            f"An attempt can report at most {settings.ENV.event_count_max} events"
            " (EVENT_COUNT_MAX)."
        )
    events_add(
        job=job,
        attempt=attempt.number,
        actor=f"worker:{attempt.id}",
        events=[(event.kind, _clamped(event.at, attempt), event.data) for event in new],
        **_progress(new),
    )
    attempt.event_n = new[-1].n
    return True


def events_check(events: Sequence[WorkerEvent]) -> None:
    """Check kinds and sizes. Raises: Invalid, TooLarge."""
    for event in events:
        if event.kind not in WORKER_EVENT_KINDS:
            raise Invalid(
                f"Workers cannot report events of kind {event.kind}.",
                detail={"kind": "is not an event kind of workers"},
            )
        if len(json.dumps(event.data)) > settings.ENV.event_bytes_max:
            raise TooLarge(
                f"An event's data can have at most {settings.ENV.event_bytes_max} bytes"
                " (EVENT_BYTES_MAX)."
            )


def _clamped(at: dt.datetime, attempt: Attempt) -> dt.datetime:
    """Clamp an event's time to the interval from claim to now: worker clocks may be wrong."""
    now = utc_now()
    return max(min(at, now), attempt.claimed_at or now)


def _progress(events: Sequence[WorkerEvent]) -> dict[str, float | str | None]:
    """Return the job columns that the latest progress event sets; empty without such an event."""
    latest = next(
        (event.data for event in reversed(events) if event.kind == EventKind.PROGRESS), None
    )
    if latest is None:
        return {}
    value = latest.get("fraction")
    fraction = float(value) if is_number(value) and 0 <= value <= 1 else None
    return {
        "progress_fraction": fraction,
        "progress_message": str(latest.get("message") or "")[:500],
    }


def artifact_record(
    *,
    attempt_id: UUID,
    name: str,
    role: ArtifactRole,
    storage_key: str,
    size_bytes: int,
    sha256: str,
    media_type: str,
) -> tuple[Artifact, bool]:
    """Record a stored file as an artifact; return it and whether it is new.

    For a repeated name, role and SHA-256, the stored artifact is returned and the caller deletes
    its new file. Raises: Gone; Conflict `artifact_exists` for a stored name with other bytes or
    another role; TooLarge over a limit.
    """
    with transaction.atomic():
        _job, attempt = attempt_lock(attempt_id=attempt_id)
        if attempt.fenced_at or attempt.ended_at or attempt.claim_id is None:
            raise _fenced()
        stored = Artifact.objects.filter(attempt=attempt, name=name).first()
        if stored is not None:
            if stored.sha256 != sha256 or stored.role != role:
                raise Conflict(
                    f"The artifact {name} is already stored with different bytes.",
                    code="artifact_exists",
                )
            return stored, False
        artifact_limits_check(attempt_id=attempt_id, size_bytes=size_bytes)
        try:
            artifact = Artifact.objects.create(
                attempt=attempt,
                name=name,
                role=role,
                storage_key=storage_key,
                size_bytes=size_bytes,
                sha256=sha256,
                media_type=media_type[:200],
            )
        except IntegrityError as error:  # unreachable without a defect: the attempt is locked
            raise MimirError(
                "The artifact could not be recorded.", status=500, code="internal"
            ) from error
    return artifact, True


def artifact_limits_check(*, attempt_id: UUID, size_bytes: int) -> None:
    """Check the attempt's artifact limits. Raises: TooLarge `artifact_limit_exceeded`."""
    env = settings.ENV
    stored = Artifact.objects.filter(attempt_id=attempt_id).aggregate(
        count=Count("id"), size=Coalesce(Sum("size_bytes"), 0)
    )
    if (
        stored["count"] >= env.artifact_count_max
        or stored["size"] + size_bytes > env.artifact_bytes_max
    ):
        raise TooLarge(
            f"An attempt can store at most {env.artifact_count_max} artifacts with"
            f" {env.artifact_bytes_max} bytes in total (ARTIFACT_COUNT_MAX, ARTIFACT_BYTES_MAX).",
            code="artifact_limit_exceeded",
        )
    try:
        storage_demand(Project.objects.get(jobs__attempts=attempt_id), size_bytes)
    except QuotaExceeded as error:
        raise TooLarge(
            error.message, code="artifact_limit_exceeded", detail=error.detail
        ) from error
