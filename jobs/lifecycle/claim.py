"""Claim of an attempt by its worker. The claim, not the launcher's reply, makes a job `running`."""

from uuid import UUID

from django.conf import settings
from django.db import transaction

from jobs.admission.starts import cluster_with_window, has_waiting_jobs
from jobs.clusters.machine import attempt_limits
from jobs.contract import EventKind, JobStatus, WorkerLimits
from jobs.contract.protocol import ClaimResponse
from jobs.core.metrics import launch_count
from jobs.core.tokens import cache_key, session_token
from jobs.core.transition import attempt_lock, job_move, wake_on_commit
from jobs.lifecycle.heartbeat_rate import heartbeat_seconds
from jobs.lifecycle.inputs_read import claim_inputs
from jobs.models import Attempt, Job
from mimir.lib.clock import utc_now
from mimir.lib.errors import Conflict, Gone, NotFound


def attempt_claim(*, attempt_id: UUID, claim_id: UUID, host: str) -> ClaimResponse:
    """Claim an attempt; return the response of docs/reference/worker-protocol.md.

    A repeated claim with the same `claim_id` gets the same response.
    Raises: NotFound; Gone if fenced or ended (checked first); Conflict `already_claimed` for
    another `claim_id`.
    """
    with transaction.atomic():
        try:
            job, attempt = attempt_lock(attempt_id=attempt_id)
        except Attempt.DoesNotExist:
            raise NotFound("This attempt does not exist.") from None
        if attempt.fenced_at or attempt.ended_at:
            raise Gone(
                "This attempt is fenced: another attempt runs, or the job has ended.", code="fenced"
            )
        if attempt.claim_id is None:
            _claim(job, attempt, claim_id, host)
        elif attempt.claim_id != claim_id:
            raise Conflict("Another worker has claimed this attempt.", code="already_claimed")
    return _response(job, attempt)


def _claim(job: Job, attempt: Attempt, claim_id: UUID, host: str) -> None:
    now = utc_now()
    moved = job.attempt == attempt.number and job_move(
        job=job,
        sources=[JobStatus.LAUNCHING],
        target=JobStatus.RUNNING,
        kind=EventKind.CLAIMED,
        actor=f"worker:{attempt.id}",
        data={"host": host[:200]},
        started_at=job.started_at or now,
        message="",
        diagnosis=None,
    )
    if not moved:
        raise Gone("This attempt is fenced: its job is not launching it.", code="fenced")
    attempt.claim_id = claim_id
    attempt.claimed_at = attempt.heartbeat_at = now
    attempt.save(update_fields=["claim_id", "claimed_at", "heartbeat_at"])
    launch_count(job=job, attempt=attempt)
    attempt.cluster = cluster_with_window(attempt.cluster_id)
    if has_waiting_jobs(attempt.cluster):
        wake_on_commit(job=job)  # its cluster can start one more


def _response(job: Job, attempt: Attempt) -> ClaimResponse:
    assert attempt.claim_id is not None
    inputs = claim_inputs(job)
    limits = worker_limits(job=job, attempt=attempt)
    response: ClaimResponse = {
        "session_token": session_token(attempt.id, attempt.claim_id),
        "job": {
            "id": str(job.id),
            "type": job.type,
            "name": job.name,
            "attempt": attempt.number,
            "parameters": job.parameters,
        },
        "limits": {
            "cpu_millicores": limits.cpu_millicores,
            "memory_bytes": limits.memory_bytes,
            "timeout_seconds": limits.timeout_seconds,
            "grace_seconds": limits.grace_seconds,
            "log_bytes": limits.log_bytes,
            "spool_bytes": limits.spool_bytes,
            "artifact_bytes": limits.artifact_bytes,
            "event_bytes": limits.event_bytes,
            "event_count": limits.event_count,
            "model_cache_bytes": limits.model_cache_bytes,
            # Workers of version 0.1.0 require these keys but do not use them.
            "artifact_count": settings.ENV.artifact_count_max,
            "result_bytes": settings.ENV.result_bytes_max,
        },
        "inputs": inputs,
        "read_url_allow": list(settings.ENV.read_url_allow),
        "heartbeat_seconds": heartbeat_seconds(),
        "log_end": attempt.log_end,
        "finish_takes_events": True,
    }
    if any(item["kind"] == "model" for item in inputs):
        response["cache_key"] = cache_key(job.project_id)
    return response


def worker_limits(*, job: Job, attempt: Attempt) -> WorkerLimits:
    """Return the limits of an attempt, capped to the machine on the process launcher."""
    env = settings.ENV
    limits = attempt_limits(
        job.resources, attempt.memory_limit_bytes, launcher=attempt.cluster.launcher
    )
    return WorkerLimits(
        cpu_millicores=limits.cpu_millicores,
        memory_bytes=limits.memory_bytes,
        timeout_seconds=job.timeout_seconds,
        grace_seconds=env.worker_grace,
        log_bytes=env.log_bytes_max,
        spool_bytes=env.spool_bytes_max,
        artifact_bytes=env.artifact_bytes_max,
        event_bytes=env.event_bytes_max,
        event_count=env.event_count_max,
        model_cache_bytes=env.model_cache_bytes_max,
    )
