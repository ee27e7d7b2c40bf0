"""Retry of an ended job: a new job with the same request and the same inputs."""

from typing import TYPE_CHECKING

from jobs.contract import JobStatus, Priority
from jobs.core.resources import format_cpu, format_memory, from_dict
from jobs.core.states import is_terminal
from jobs.lifecycle.submit import RequestedResources, Submitted, job_submit
from jobs.models import Job
from mimir.lib.errors import Conflict

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def job_retry(*, job: Job, user: "User | None", idempotency_key: str | None = None) -> Submitted:
    """Submit a new job with the request and inputs of `job`, and with `retry_of` set.

    Memory that was raised after out-of-memory ends stays raised.

    Raises: Conflict if `job` has not ended; the errors of `job_submit`.
    """
    if not is_terminal(JobStatus(job.status)):
        raise Conflict("The job has not ended. Cancel it first, or submit a new job.")
    limits = from_dict(job.resources).limits
    resources: RequestedResources = {
        "cpu": format_cpu(limits.cpu_millicores),
        "memory": format_memory(limits.memory_bytes),
        "gpu": limits.gpus,
    }
    if job.memory_max_bytes is not None:
        resources["memory_max"] = format_memory(job.memory_max_bytes)
    return job_submit(
        project=job.project,
        user=user,
        idempotency_key=idempotency_key,
        retry_of=job,
        fixed_inputs=job.inputs,
        type=job.type,
        parameters=job.parameters,
        name=job.name,
        labels=job.labels,
        priority=Priority(job.priority),
        resources=resources,
        timeout_seconds=job.timeout_seconds,
        max_attempts=job.max_attempts,
        cluster=job.cluster,
        region=job.region,
    )
