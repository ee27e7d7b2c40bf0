"""When a job would start if it were submitted now, and which changes would start it sooner."""

from django.db import connection, transaction

from jobs.admission.hypothetical import start_explain
from jobs.admission.ledger import can_use
from jobs.admission.queue_state import queue_state
from jobs.admission.snapshot_types import Candidate
from jobs.contract import WaitRule
from jobs.core.resources import format_memory, from_dict
from jobs.lifecycle.amounts import profiles
from jobs.lifecycle.submit import JobRequest, queue_check
from jobs.queries.alternatives import alternatives, chosen, describe_start, retry_memory_limit
from jobs.queries.shapes import StartBody
from mimir.lib.ids import uuid7
from projects.models import Project


def job_start(*, project: Project, checked: JobRequest) -> StartBody:
    """Explain when the valid request would start if it were submitted now. Writes nothing.

    Raises: TooMany if the project's queue is full.
    """
    queue_check(project=project)
    profile, job = profiles()[checked.type], _candidate(project, checked)
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION READ ONLY")
        state = queue_state()
        usable = [each for each in state.view.capacities if can_use(each, job)]
        offered = alternatives(checked, profile, usable)
        found = start_explain(
            state,
            checked,
            job,
            [_candidate(project, each.request) for each in offered],
        )
    waiting, start = found.waiting, found.start
    retries_to = retry_memory_limit(checked, profile, usable)
    starts_now = start is not None and waiting["blocked_by"] == WaitRule.READY
    return {
        "starts_now": starts_now,
        "cluster": start.cluster if start is not None else None,
        "position": waiting["position"],
        "blocked_by": waiting["blocked_by"],
        "detail": f"Would start now on {start.cluster}."
        if start is not None and starts_now
        else waiting["detail"],
        "estimate_seconds": waiting["estimate_seconds"],
        "rules": waiting["rules"],
        "alternatives": [
            {
                "request": alternative.patch,
                "detail": describe_start(alternative, expected),
                "cluster": expected.cluster if expected else None,
                "estimate_seconds": round(expected.after_seconds, 1) if expected else None,
            }
            for alternative, expected in chosen(offered, found.changed)
        ],
        "retry_memory_limit": None if retries_to is None else format_memory(retries_to),
    }


def _candidate(project: Project, request: JobRequest) -> Candidate:
    """Return the request as a waiting job. `start_explain` sets its `queued_at`."""
    requests = from_dict(request.resources).requests
    return Candidate(
        job_id=uuid7(),
        project=project.slug,
        type=request.type,
        priority=request.priority,
        queued_at=0.0,
        cpu_millicores=requests.cpu_millicores,
        memory_bytes=requests.memory_bytes,
        gpus=requests.gpus,
        exclusive_key=request.exclusive_key,
        cluster=request.cluster,
        region=request.region,
    )
