"""Kubernetes objects reduced to the fields in use, and observations of workers from them. Pure.

A worker is judged by its own container: sidecars that the cluster adds to its pod may outlive it.
"""

import datetime as dt
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from jobs.clusters.launchers.base import Evidence, Observation
from jobs.clusters.launchers.manifest import ATTEMPT_ID, CONTAINER
from jobs.contract import FailureReason
from jobs.diagnosis import kubernetes as diagnosis
from jobs.diagnosis.kubernetes.objects import Object, at, items
from jobs.diagnosis.termination import read_exit_report

NAME = "worker-job-"
JOB_NAME = "batch.kubernetes.io/job-name"
# For an exit report without a reason while the attempt has not ended in the database.
NO_REASON = FailureReason.WORKER_LOST.value
BEGINNING = frozenset({"Scheduled", "Pulling", "Pulled", "Created", "Started", "SuccessfulCreate"})
ENDED = frozenset({"Complete", "Failed"})
SHARED = frozenset({"PersistentVolumeClaim", "Node"})
# The object of an event, as an API server writes it. Quotes in its message are escaped.
_ABOUT = re.compile(
    rb'"involvedObject":\{"kind":"([A-Za-z]+)"(?:,"namespace":"[^"\\]*")?,"name":"([^"\\]+)"'
)


def attempt_id(each: Object) -> str:
    """Return the attempt id of an object.

    The annotation has precedence over the label: a person who edits labels seldom edits both.
    """
    metadata = at(each, "metadata")
    return str(
        at(metadata, "annotations").get(ATTEMPT_ID) or at(metadata, "labels").get(ATTEMPT_ID) or ""
    )


def name_of(each: Object) -> str:
    """Return the name of an object."""
    return str(at(each, "metadata")["name"])


def created_at(each: Object) -> str:
    """Return when an object was created, as Kubernetes writes it; empty if unknown."""
    return str(at(each, "metadata").get("creationTimestamp", ""))


def job_name(pod: Object) -> str:
    """Return the name of the Job that created a pod."""
    return str(at(pod, "metadata", "labels").get(JOB_NAME) or "")


def cut_job(job: Object) -> Object:
    """Return a Job without its containers' environment."""
    return _with_head(diagnosis.reduce_job(job), job)


def cut_pod(pod: Object) -> Object:
    """Return a pod without its containers' environment, which holds the token."""
    return _with_head(diagnosis.reduce_pod(pod), pod)


def cut_event(event: Object, runs: Callable[[str], bool]) -> Object | None:
    """Return an event about a worker, a volume claim or a node, reduced; None for any other event.

    An event about a worker's Job or pod gets the worker's name. Claims and nodes are shared: their
    events have no worker. Events about the start of a pod are dropped once `runs` returns true for
    its name, because the pod itself shows that. Events of nodes are in the namespace `default`,
    which the orchestrator might have no permission to read.
    """
    about = at(event, "involvedObject")
    name = str(about.get("name") or "")
    if about.get("kind") in SHARED:
        return {**diagnosis.reduce_event(event), "worker": ""}
    if not name.startswith(NAME):
        return None
    pod = name if about.get("kind") == "Pod" else str(event.get("message") or "").rpartition(" ")[2]
    if event.get("reason") in BEGINNING and runs(pod):
        return None
    return {
        **diagnosis.reduce_event(event),
        "worker": name.rpartition("-")[0] if about.get("kind") == "Pod" else name,
    }


def event_worker(line: bytes) -> str | None:
    """Return the name of the worker that an event in a watch stream is about.

    Empty: it can be about any worker. None: about none.
    """
    about = _ABOUT.search(line)
    if about is None or about[1].decode() in SHARED:
        return ""
    kind, name = about[1], about[2].decode()
    if kind not in (b"Job", b"Pod") or not name.startswith(NAME):
        return None
    return name if kind == b"Job" else name.rpartition("-")[0]


def runs(pod: Object | None) -> bool:
    """Return whether the worker's container runs.

    False while only a sidecar runs: the events of the pod are still needed then.
    """
    if pod is not None and (own := _own(pod)) is not None:
        return "running" in at(own, "state")
    return pod is not None and at(pod, "status").get("phase") == "Running"


def _with_head(reduced: Object, whole: Object) -> Object:
    metadata = at(whole, "metadata")
    labels = at(metadata, "labels")
    head = {
        name: metadata[name]
        for name in ("name", "uid", "creationTimestamp", "deletionTimestamp")
        if metadata.get(name)
    }
    head["labels"] = {name: labels[name] for name in (JOB_NAME,) if name in labels}
    head["annotations"] = {ATTEMPT_ID: attempt_id(whole)}
    return {**reduced, "metadata": {**at(reduced, "metadata"), **head}}


def observed(
    jobs: Iterable[Object],
    pods: Iterable[Object],
    events: Iterable[Object],
    nodes: tuple[Object, ...] | None,
    *,
    lost_before: dt.datetime,
    before: Mapping[str, Observation] | None = None,
) -> list[Observation]:
    """Return one observation for each attempt that has a Job or a pod.

    `lost_before`: a pod whose deletion was due before this time counts as ended: its node is lost.
    `before`: earlier observations by attempt, returned again for workers with the same objects.
    """
    events_by_worker = by_worker(events)
    by_attempt: dict[str, tuple[list[Object], list[Object]]] = defaultdict(lambda: ([], []))
    for job in jobs:
        by_attempt[attempt_id(job)][0].append(job)
    for pod in pods:
        by_attempt[attempt_id(pod)][1].append(pod)
    observations = []
    for each, (own_jobs, own_pods) in by_attempt.items():
        name = name_of(own_jobs[0]) if own_jobs else job_name(own_pods[0])
        first = own_jobs[0] if own_jobs else None
        evidence = Evidence(
            first, tuple(own_pods), events_of(name, first, own_pods, events_by_worker), nodes
        )
        earlier = before.get(each) if before is not None else None
        if earlier is None or not _is_current(earlier, evidence):
            earlier = _one(each, name, evidence, lost_before)
        observations.append(earlier)
    return observations


def _is_current(earlier: Observation, evidence: Evidence) -> bool:
    """Return whether an observation is still valid: its objects are the same.

    An observation of a pod with a deletion time depends on the current time as well.
    """
    return (
        earlier.evidence is not None
        and earlier.evidence.is_same(evidence)
        and not any(at(pod, "metadata").get("deletionTimestamp") for pod in evidence.pods)
    )


def by_worker(events: Iterable[Object]) -> dict[str, list[Object]]:
    """Return events by worker name; those of shared objects under the empty name."""
    found: dict[str, list[Object]] = defaultdict(list)
    for event in events:
        found[str(event["worker"])].append(event)
    return found


def events_of(
    name: str, job: Object | None, pods: Sequence[Object], events: Mapping[str, Sequence[Object]]
) -> tuple[Object, ...]:
    """Return the events of a worker, of its volume claims and of its node."""
    own = tuple(events.get(name, ()))
    shared = events.get("", ())
    if not shared:
        return own
    volumes = items(at(job, "spec", "template", "spec").get("volumes"))
    uses: set[tuple[str, object]] = {
        ("PersistentVolumeClaim", at(each, "persistentVolumeClaim").get("claimName"))
        for each in volumes
    }
    uses |= {("Node", at(pod, "spec").get("nodeName")) for pod in pods}
    return own + tuple(
        event for event in shared if _is_used(at(event, "involvedObject"), uses, name)
    )


def _is_used(about: Object, uses: set[tuple[str, object]], worker: str) -> bool:
    """Return whether a worker uses a shared object.

    A volume of its Job, its node, or a claim that was created for its pod alone.
    """
    kind, name = str(about.get("kind")), str(about.get("name"))
    return (kind, name) in uses or (
        kind == "PersistentVolumeClaim" and name.startswith(f"{worker}-")
    )


def _one(attempt: str, name: str, evidence: Evidence, lost_before: dt.datetime) -> Observation:
    jobs, pods = [evidence.job] if evidence.job is not None else [], evidence.pods
    ended = has_ended(jobs, pods, lost_before=lost_before)
    latest = max(pods, key=lambda pod: created_at(pod), default=None)
    end = _terminated(latest) if latest is not None and ended else {}
    report = read_exit_report(end.get("message"))
    code = report.code if report is not None else _code(end)
    return Observation(
        name=name,
        attempt_id=attempt,
        uid=str(at(jobs[0], "metadata").get("uid", "")) if jobs else "",
        alive=not ended,
        exit_code=code,
        signal=report.signal
        if report is not None
        else code - 128
        if code is not None and 128 < code < 160
        else None,
        reason=(report.reason or NO_REASON) if report is not None else "",
        message=report.message if report is not None else "",
        peak_memory_bytes=report.peak_memory_bytes if report is not None else None,
        node_suspected=not ended and any(map(_is_unready, pods)),
        evidence=evidence,
    )


def has_ended(jobs: Sequence[Object], pods: Sequence[Object], *, lost_before: dt.datetime) -> bool:
    """Return whether the worker's own container does not run and never will.

    A worker's Job creates only one pod, so an ended pod is final. A Job without a pod is about to
    create it, unless the Job has finished or is being deleted. Without any object it has ended.
    """
    if any(not _over(pod, lost_before) for pod in pods):
        return False
    return bool(pods) or all(
        _finished(job) or at(job, "metadata").get("deletionTimestamp") for job in jobs
    )


def _is_unready(pod: Object) -> bool:
    """Return whether a pod should run and is not ready.

    The worker's container has no readiness probe: it is ready while its node sends heartbeats. A
    sidecar that is not ready makes the pod unready, too; the evidence tells the two apart.
    """
    status = at(pod, "status")
    ready = any(
        each.get("type") == "Ready" and each.get("status") == "True"
        for each in items(status.get("conditions"))
    )
    return status.get("phase") in ("Running", "Unknown") and not ready


def _over(pod: Object, lost_before: dt.datetime) -> bool:
    if at(pod, "status").get("phase") in ("Succeeded", "Failed"):
        return True
    if _terminated(pod) and at(pod, "spec").get("restartPolicy") in (None, "", "Never"):
        return True
    due = _time(at(pod, "metadata").get("deletionTimestamp"))
    return due is not None and due < lost_before


def _finished(job: Object) -> bool:
    conditions = items(at(job, "status").get("conditions"))
    return any(each.get("type") in ENDED and each.get("status") == "True" for each in conditions)


def _terminated(pod: Object) -> Object:
    """Return the terminated state of the worker's container; empty if there is none."""
    return at(_own(pod), "state", "terminated")


def _own(pod: Object) -> Object | None:
    """Return the status of the worker's own container."""
    states = items(at(pod, "status").get("containerStatuses"))
    return next((each for each in states if each.get("name") == CONTAINER), None)


def _code(end: Object) -> int | None:
    code = end.get("exitCode")
    return code if isinstance(code, int) else None


def _time(text: object) -> dt.datetime | None:
    try:
        return dt.datetime.fromisoformat(str(text)) if text else None
    except ValueError:
        return None
