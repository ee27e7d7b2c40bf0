"""The diagnosis of one worker from its Job, its pods and their events. Pure.

The state of an object has precedence over events, newer over older, and the newest pod of an
attempt over the others. A pod that is gone is judged by its last known state and by its events,
which outlive it.
"""

from collections.abc import Sequence
from dataclasses import replace

from jobs.contract import FailureReason
from jobs.diagnosis.catalogue import refusals, worker_end
from jobs.diagnosis.kubernetes import rules_ended as ended
from jobs.diagnosis.kubernetes.cause import Cause, Diagnosis, Stage, diagnosis_of
from jobs.diagnosis.kubernetes.objects import Object, at, whole
from jobs.diagnosis.kubernetes.pods import Condition, Pod
from jobs.diagnosis.kubernetes.rules_exit import OUTSIDE
from jobs.diagnosis.kubernetes.rules_image import pulling_too_long
from jobs.diagnosis.kubernetes.rules_refusal import created_nothing
from jobs.diagnosis.kubernetes.rules_removed import (
    disruption_of,
    late,
    refined,
    removed,
    reported_by_job,
    timed_out,
)
from jobs.diagnosis.kubernetes.rules_waiting import suspended, waiting_for
from jobs.diagnosis.kubernetes.worker_objects import WorkerObjects, read_objects
from mimir.lib.formatting import duration_text

_REPLACED = "The cluster started another pod in its place."
_JOB_EVENTS = ("FailedCreate", "SuccessfulCreate", "Completed")


def diagnose(
    job: Object | None,
    pods: Sequence[Object],
    events: Sequence[Object],
    *,
    nodes: Sequence[Object] | None = None,
    kept: Sequence[Object] = (),
    resources: Object | None = None,
    claimed: bool = True,
) -> Diagnosis | None:
    """Return why a worker waits, is being ended or ended; None when it runs or succeeded.

    `job`, `pods` and `events` are the cluster's objects as JSON, complete or reduced by
    `reduce_job`, `reduce_pod` and `reduce_event`; `job` is None when the cluster has none. `kept`
    are stored pods, reduced while they existed; `nodes` is None without permission to read them.
    `resources` is the job's row (`resources.as_dict`), for amounts that the objects lack.
    `claimed`: the worker had claimed its job. A worker that ended before that did not succeed, and
    its end does not use up one of the user's attempts.
    """
    objects = read_objects(
        job=job,
        pods=pods,
        events=events,
        nodes=nodes,
        kept=kept,
        resources=resources,
        claimed=claimed,
    )
    if objects.succeeded() and claimed:
        return None
    found = _newest(objects)
    return found if claimed or found is None else replace(found, counts=False)


def _newest(objects: WorkerObjects) -> Diagnosis | None:
    if not objects.pods:
        return _without_pod(objects)
    pod = objects.pods[0]
    return _live(objects, pod) if pod.live else _gone(objects, pod)


def _live(objects: WorkerObjects, pod: Pod) -> Diagnosis | None:
    if pod.ended():
        return _ended(objects, pod)
    if pod.deleting or pod.disrupted() or objects.late():
        return _closed(objects, removed(objects, pod, ending_now=True), Stage.ENDING)
    if pod.phase == "Unknown" or objects.node_is_away(pod):
        event = objects.has("NodeNotReady")
        raw = f"NodeNotReady: {event.message}" if event else "NodeNotReady"
        return diagnosis_of(Cause(worker_end.NODE_SILENT, {"node": pod.node}, raw), Stage.WAITS)
    if pod.running():
        return _replaced(objects)
    return diagnosis_of(waiting_for(objects, pod), Stage.WAITS, before=_earlier(objects))


def _ended(objects: WorkerObjects, pod: Pod) -> Diagnosis | None:
    """Diagnose a pod that reports its end.

    A container that was ended from outside reports only that it was killed: then the cause of its
    removal counts.
    """
    found = ended.ended_cause(pod, objects.spec, claimed=objects.claimed)
    if found is None:
        return None
    killed = found.params.get("signal") in OUTSIDE
    if objects.late() and (killed or found.category is FailureReason.WORKER_LOST):
        found = late(objects, pod, ending_now=False)
    elif (
        killed
        and not pod.disrupted()
        and (pod.deleting or objects.has("Killing") or objects.suspended())
    ):
        found = removed(objects, pod, ending_now=False)
    return _closed(objects, refined(objects, pod, found), Stage.ENDED)


def _gone(objects: WorkerObjects, pod: Pod) -> Diagnosis | None:
    """Diagnose a pod that the cluster no longer has."""
    if pod.ended():
        return _ended(objects, pod)
    active = (whole(at(objects.job, "status").get("active")) or 0) > 0
    if not pod.uid and not objects.failure().holds and active:
        # Its Job counts it as active: it is known from events and not listed yet.
        if objects.has("Started"):
            return None
        return diagnosis_of(waiting_for(objects, pod), Stage.WAITS)
    return _closed(objects, removed(objects, pod, ending_now=False), Stage.ENDED)


def _without_pod(objects: WorkerObjects) -> Diagnosis | None:
    """Diagnose a worker of which no pod is known."""
    failure = objects.failure()
    raw = objects.failure_text()
    stage = Stage.ENDED if failure.holds or not objects.job else Stage.WAITS
    last = next(
        (event for event in reversed(objects.job_events) if event.reason in _JOB_EVENTS), None
    )
    if last and last.reason == "Completed":
        return None
    if last and last.reason == "FailedCreate":
        return _closed(objects, created_nothing(last.message), stage)
    if not objects.job:
        return diagnosis_of(ended.vanished("the cluster has neither Job nor pod", ""), stage)
    if objects.suspended() and not failure.holds:
        return diagnosis_of(suspended(), stage)
    if objects.late():
        ran = (whole(at(objects.job, "status").get("failed")) or 0) > 0
        found = ended.deadline(raw, objects.spec.deadline_seconds) if ran else timed_out(raw)
        return diagnosis_of(found, stage)
    if failure.holds:
        return diagnosis_of(_failed_job(raw, failure), stage)
    return diagnosis_of(Cause(refusals.CREATING_POD), stage)


def _failed_job(raw: str, failure: Condition) -> Cause:
    """Return the cause from a failed Job whose pod was never observed."""
    return reported_by_job(failure, raw, "") or ended.vanished(raw, "")


def _replaced(objects: WorkerObjects) -> Diagnosis | None:
    """Diagnose a running pod that replaces a removed one; None if no pod was removed before it."""
    causes = (_removed_before(objects, pod) for pod in objects.pods[1:])
    found = next(filter(None, causes), None)
    return diagnosis_of(found, Stage.WAITS, before=_REPLACED) if found else None


def _earlier(objects: WorkerObjects) -> str:
    """Return a sentence about the end of the previous pod; empty without one or its cause."""
    pod = next(iter(objects.pods[1:]), None)
    if pod is None:
        return ""
    found = _removed_before(objects, pod) or ended.ended_cause(
        pod, objects.spec, claimed=objects.claimed
    )
    if found is None:
        return ""
    return f"An earlier pod of this attempt: {diagnosis_of(found, Stage.ENDED).summary}"


def _removed_before(objects: WorkerObjects, pod: Pod) -> Cause | None:
    """Return why an earlier pod was removed.

    A Job creates a second pod only after a disruption that its podFailurePolicy ignores.
    """
    own = objects.of(pod)
    killed = own.has("Killing") if not pod.ended() else None
    by_request = (
        ended.evicted_by_request(f"Killing: {killed.message}", pod.node) if killed else None
    )
    return disruption_of(own, pod) or by_request


def _closed(objects: WorkerObjects, found: Cause, stage: Stage) -> Diagnosis:
    """Return the diagnosis of a worker that ends or has ended."""
    if stage is Stage.WAITS:
        return diagnosis_of(found, stage)
    if found.category is FailureReason.IMAGE_PULLING:
        found = pulling_too_long(found)
    own_limit = (FailureReason.DEADLINE_EXCEEDED, FailureReason.LAUNCH_TIMEOUT)
    if not objects.late() or found.category in own_limit:
        return diagnosis_of(found, stage)
    limit = objects.spec.deadline_seconds
    span = f" of {duration_text(limit)}" if limit else ""
    return diagnosis_of(found, stage, before=f"Its Job's deadline{span} ended it.")
