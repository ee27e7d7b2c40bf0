"""Decision of the reconciler for a worker, from Kubernetes objects to the end of its attempt.

No database rows are involved.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from unittest.mock import patch
from uuid import UUID, uuid4

from jobs.clusters.launchers.base import Observation
from jobs.clusters.launchers.fake import FakeLauncher
from jobs.clusters.launchers.kubernetes import observation
from jobs.clusters.launchers.manifest import ATTEMPT_ID
from jobs.contract import FailureReason, JobStatus
from jobs.reasons import FINAL_REASONS, SHORTAGE_REASONS, UNCOUNTED_REASONS
from jobs.reconcile import observe
from jobs.reconcile.decide import Action, AttemptView, Times, Verb, WorkerState, decide

FAIL, COUNTED, UNCOUNTED, UNBOUNDED, NOTHING = (
    "FAIL",
    "COUNTED",
    "uncounted",
    "never counted nor bounded",
    "nothing",
)
TIMES = Times(launch_timeout=300, cancel_grace=10, worker_grace=600)
Objects = Sequence[Mapping[str, Any]]


def row_of(
    *, claimed: bool, created_at: dt.datetime, attempt_id: UUID | None = None
) -> AttemptView:
    """Return the attempt's row as it was before the observation."""
    attempt_id = attempt_id or uuid4()
    return AttemptView(
        id=attempt_id,
        job_id=uuid4(),
        number=1,
        name="worker-job",
        job_status=JobStatus.RUNNING if claimed else JobStatus.LAUNCHING,
        job_attempt=1,
        timeout_seconds=3600,
        created_at=created_at,
        uid="uid",
        claim_id=uuid4() if claimed else None,
        launched_at=created_at,
        claimed_at=created_at if claimed else None,
        heartbeat_at=created_at if claimed else None,
    )


def observed(
    job: Mapping[str, Any] | None, pods: Objects, events: Objects, nodes: Objects | None
) -> Observation | None:
    """Return the observation of the worker; None without its Job and pods."""
    jobs = [observation.cut_job(_marked(job))] if job else []
    own_pods = [observation.cut_pod(_marked(pod)) for pod in pods]
    own_events = [
        kept
        for event in events
        if (kept := observation.cut_event(event, lambda _name: False)) is not None
    ]
    lost = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
    found = observation.observed(
        jobs, own_pods, own_events, tuple(nodes) if nodes is not None else None, lost_before=lost
    )
    return found[0] if found else None


def _marked(each: Mapping[str, Any]) -> dict[str, Any]:
    """Return the object with the labels and annotations of a worker."""
    meta = each.get("metadata") or {}
    labels = {
        observation.JOB_NAME: str(meta.get("name", "")).rpartition("-")[0],
        **(meta.get("labels") or {}),
    }
    return {
        **each,
        "metadata": {
            **meta,
            "labels": labels,
            "annotations": {**(meta.get("annotations") or {}), ATTEMPT_ID: "attempt"},
        },
    }


def decided(
    job: Mapping[str, Any] | None,
    pods: Objects,
    events: Objects,
    nodes: Objects | None = None,
    *,
    claimed: bool,
    seconds: float = 60,
) -> tuple[Action, WorkerState | None]:
    """Return the reconciler's action and the worker's state `seconds` after admission."""
    now = dt.datetime.now(dt.UTC)
    row = row_of(claimed=claimed, created_at=now - dt.timedelta(seconds=seconds))
    seen = observed(job, pods, events, nodes)
    with patch.object(observe, "resources_of", lambda _id: None):
        shown, _diagnosis = observe.diagnosed_state(row, seen, FakeLauncher(), tuple)
    if shown is not None:
        shown = replace(shown, placed_at=None, started_at=None)
    return decide(row, shown, now=now, times=TIMES), shown


def decision(
    job: Mapping[str, Any] | None,
    pods: Objects,
    events: Objects,
    nodes: Objects | None = None,
    *,
    claimed: bool,
) -> str:
    """Return the consequence for the job when the attempt ends.

    While the worker waits, it is the consequence of a launch timeout.
    """
    action, _state = decided(job, pods, events, nodes, claimed=claimed)
    if action.verb is Verb.NOTHING and not claimed:
        action, _state = decided(job, pods, events, nodes, claimed=claimed, seconds=100_000)
    return consequence(action, claimed=claimed)


def consequence(action: Action, *, claimed: bool) -> str:
    """Return the consequence of an action by its reason, as `jobs.lifecycle.ending` decides."""
    if action.verb is not Verb.END:
        return NOTHING
    reason = FailureReason(action.reason or "")
    if reason in FINAL_REASONS:
        return FAIL
    if reason in SHORTAGE_REASONS:
        return UNBOUNDED
    return UNCOUNTED if reason in UNCOUNTED_REASONS or not claimed else COUNTED
