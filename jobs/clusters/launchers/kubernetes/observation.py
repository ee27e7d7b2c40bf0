"""Kubernetes objects cut to what we read of them, and what they say of a worker. Pure.

A worker is judged by its own container: sidecars that the cluster adds to its pod may run on after it.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from jobs.clusters.launchers.base import Evidence, Observation
from jobs.clusters.launchers.manifest import ATTEMPT_ID, CONTAINER
from jobs.contract import FailureReason
from jobs.diagnosis import kubernetes as diagnosis
from jobs.diagnosis.termination import read_last_word

Object = Mapping[str, Any]
NAME = "worker-job-"
JOB_NAME = "batch.kubernetes.io/job-name"
UNTOLD = (
    FailureReason.WORKER_LOST.value
)  # its last word gives no reason, and its attempt has not ended here
BEGINNING = frozenset({"Scheduled", "Pulling", "Pulled", "Created", "Started", "SuccessfulCreate"})
ENDED = frozenset({"Complete", "Failed"})
SHARED = frozenset({"PersistentVolumeClaim", "Node"})


def attempt_id(each: Object) -> str:
    """The attempt an object says it belongs to; the annotation, since who edits labels by hand seldom edits both."""
    metadata = each.get("metadata") or {}
    return str(
        (metadata.get("annotations") or {}).get(ATTEMPT_ID)
        or (metadata.get("labels") or {}).get(ATTEMPT_ID)
        or ""
    )


def job_name(pod: Object) -> str:
    """The Job a pod was made by."""
    labels = (pod.get("metadata") or {}).get("labels") or {}
    return str(labels.get(JOB_NAME) or "")


def cut_job(job: Object) -> Object:
    """A Job without its containers' environment."""
    return _with_head(diagnosis.remember_job(job), job)


def cut_pod(pod: Object) -> Object:
    """A pod without its containers' environment: that holds the token."""
    return _with_head(diagnosis.remember(pod), pod)


def cut_event(event: Object, runs: Callable[[str], bool]) -> Object | None:
    """An event about a worker's Job or a pod of it, with the worker's name, or about a volume claim or a node; None for any other.

    None too for how a pod came to run, once `runs` says of its name that it does: the pod says so itself. Claims and nodes are shared, so that
    their events have no worker. Events of nodes stand in the namespace `default`, which the orchestrator may not be allowed to read.
    """
    about = event.get("involvedObject") or {}
    name = str(about.get("name") or "")
    if about.get("kind") in SHARED:
        return {**diagnosis.remember_event(event), "worker": ""}
    if not name.startswith(NAME):
        return None
    pod = name if about.get("kind") == "Pod" else str(event.get("message") or "").rpartition(" ")[2]
    if event.get("reason") in BEGINNING and runs(pod):
        return None
    return {
        **diagnosis.remember_event(event),
        "worker": name.rpartition("-")[0] if about.get("kind") == "Pod" else name,
    }


def runs(pod: Object | None) -> bool:
    """Whether its containers run. Not while a sidecar runs and the worker's own does not: its events are wanted then."""
    if pod is not None and (own := _own(pod)) is not None:
        return "running" in (own.get("state") or {})
    return pod is not None and (pod.get("status") or {}).get("phase") == "Running"


def _with_head(cut: dict[str, Any], whole: Object) -> Object:
    metadata = whole.get("metadata") or {}
    labels = metadata.get("labels") or {}
    head = {
        name: metadata[name]
        for name in ("name", "uid", "creationTimestamp", "deletionTimestamp")
        if metadata.get(name)
    }
    head["labels"] = {name: labels[name] for name in (JOB_NAME,) if name in labels}
    head["annotations"] = {ATTEMPT_ID: attempt_id(whole)}
    return {**cut, "metadata": {**(cut.get("metadata") or {}), **head}}


def observed(
    jobs: Iterable[Object],
    pods: Iterable[Object],
    events: Iterable[Object],
    nodes: tuple[Object, ...] | None,
    *,
    lost_before: dt.datetime,
) -> list[Observation]:
    """One line for each attempt that a Job or a pod belongs to. `lost_before`: a pod that should be gone since then is on a lost node."""
    told = by_worker(events)
    by_attempt: dict[str, tuple[list[Object], list[Object]]] = defaultdict(lambda: ([], []))
    for job in jobs:
        by_attempt[attempt_id(job)][0].append(job)
    for pod in pods:
        by_attempt[attempt_id(pod)][1].append(pod)
    seen = []
    for each, (own_jobs, own_pods) in by_attempt.items():
        name = own_jobs[0]["metadata"]["name"] if own_jobs else job_name(own_pods[0])
        first = own_jobs[0] if own_jobs else None
        evidence = Evidence(first, tuple(own_pods), events_of(name, first, own_pods, told), nodes)
        seen.append(_one(each, name, evidence, lost_before))
    return seen


def by_worker(events: Iterable[Object]) -> dict[str, list[Object]]:
    """Events by the name of the worker that they are about; those of shared objects under the empty name."""
    found: dict[str, list[Object]] = defaultdict(list)
    for event in events:
        found[event["worker"]].append(event)
    return found


def events_of(
    name: str, job: Object | None, pods: Sequence[Object], events: Mapping[str, Sequence[Object]]
) -> tuple[Object, ...]:
    """The events of a worker, and of the volume claims and the node that it uses."""
    own = tuple(events.get(name, ()))
    shared = events.get("", ())
    if not shared:
        return own
    template = (((job or {}).get("spec") or {}).get("template") or {}).get("spec") or {}
    volumes = template.get("volumes") or ()
    uses = {
        ("PersistentVolumeClaim", (each.get("persistentVolumeClaim") or {}).get("claimName"))
        for each in volumes
    }
    uses |= {("Node", (pod.get("spec") or {}).get("nodeName")) for pod in pods}
    return own + tuple(event for event in shared if _is_used(event["involvedObject"], uses, name))


def _is_used(about: Object, uses: set[tuple[str, Any]], worker: str) -> bool:
    """Whether a worker uses a shared object: by its Job's volumes, by its node, or as a claim that was made for its pod alone."""
    kind, name = str(about.get("kind")), str(about.get("name"))
    return (kind, name) in uses or (
        kind == "PersistentVolumeClaim" and name.startswith(f"{worker}-")
    )


def _one(attempt: str, name: str, evidence: Evidence, lost_before: dt.datetime) -> Observation:
    jobs, pods = [evidence.job] if evidence.job is not None else [], evidence.pods
    ended = has_ended(jobs, pods, lost_before=lost_before)
    latest = max(
        pods, key=lambda pod: str(pod["metadata"].get("creationTimestamp", "")), default=None
    )
    end = _terminated(latest) if latest is not None and ended else {}
    said = read_last_word(end.get("message"))
    code = said.code if said is not None else _code(end)
    return Observation(
        name=name,
        attempt_id=attempt,
        uid=str(jobs[0]["metadata"].get("uid", "")) if jobs else "",
        alive=not ended,
        exit_code=code,
        signal=said.signal
        if said is not None
        else code - 128
        if code is not None and 128 < code < 160
        else None,
        reason=(said.reason or UNTOLD) if said is not None else "",
        message=said.message if said is not None else "",
        peak_memory_bytes=said.peak_memory_bytes if said is not None else None,
        node_suspected=not ended and any(map(_unsure, pods)),
        evidence=evidence,
    )


def has_ended(jobs: Sequence[Object], pods: Sequence[Object], *, lost_before: dt.datetime) -> bool:
    """Whether the worker's own container does not run, and never will.

    A Job of ours never makes a second pod: one that has ended is the end. A Job without any pod is about to make it, until it has failed.
    """
    if any(not _over(pod, lost_before) for pod in pods):
        return False
    return bool(pods) or all(
        _finished(job) or job["metadata"].get("deletionTimestamp") for job in jobs
    )


def _unsure(pod: Object) -> bool:
    """Whether it should run, and is not ready. Our container has no readiness probe: it is ready while its node is heard of.

    A sidecar that is not ready makes the pod unready, too: the evidence tells the two apart.
    """
    status = pod.get("status") or {}
    ready = any(
        each.get("type") == "Ready" and each.get("status") == "True"
        for each in status.get("conditions") or ()
    )
    return status.get("phase") in ("Running", "Unknown") and not ready


def _over(pod: Object, lost_before: dt.datetime) -> bool:
    if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        return True
    if _terminated(pod) and (pod.get("spec") or {}).get("restartPolicy") in (None, "", "Never"):
        return True
    due = _time((pod.get("metadata") or {}).get("deletionTimestamp"))
    return due is not None and due < lost_before


def _finished(job: Object) -> bool:
    conditions = (job.get("status") or {}).get("conditions") or ()
    return any(each.get("type") in ENDED and each.get("status") == "True" for each in conditions)


def _terminated(pod: Object) -> Object:
    """How the worker's container ended; empty where it has not, or that is not known."""
    own = _own(pod)
    return ((own or {}).get("state") or {}).get("terminated") or {}


def _own(pod: Object) -> Object | None:
    """The status of the worker's own container."""
    states = (pod.get("status") or {}).get("containerStatuses") or ()
    return next((each for each in states if each.get("name") == CONTAINER), None)


def _code(end: Object) -> int | None:
    code = end.get("exitCode")
    return code if isinstance(code, int) else None


def _time(text: object) -> dt.datetime | None:
    try:
        return dt.datetime.fromisoformat(str(text)) if text else None
    except ValueError:
        return None
