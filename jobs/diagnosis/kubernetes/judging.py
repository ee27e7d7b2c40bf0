"""From a Job, its pods and their events to the one thing to say. Pure.

The state of an object comes before events, newer before older, and of several pods of an attempt the newest counts. A pod that is gone is
judged by what was kept of it and by the events, which outlive it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from jobs.contract import FailureReason
from jobs.diagnosis.kubernetes import ending
from jobs.diagnosis.kubernetes.causes import (
    disruption_of,
    late_finding,
    refined,
    said_by_job,
    taken_away,
    timed_out,
)
from jobs.diagnosis.kubernetes.creating import not_allowed_finding, refused_finding
from jobs.diagnosis.kubernetes.exits import OUTSIDE, last_lines
from jobs.diagnosis.kubernetes.images import never_pulled
from jobs.diagnosis.kubernetes.pods import Condition, Pod
from jobs.diagnosis.kubernetes.reading import at, whole
from jobs.diagnosis.kubernetes.scene import Scene, read_scene
from jobs.diagnosis.kubernetes.starting import created_nothing
from jobs.diagnosis.kubernetes.values import (
    AGAIN,
    ANYWHERE,
    NOTHING_TO_DO,
    THEN_BY_ITSELF,
    ClusterDiagnosis,
    Finding,
    Stage,
    told,
)
from jobs.diagnosis.kubernetes.waits import suspended, wait
from mimir.lib.formatting import duration_text, told_never


def diagnose(
    job: Mapping[str, Any] | None,
    pods: Sequence[Mapping[str, Any]],
    events: Sequence[Mapping[str, Any]],
    *,
    nodes: Sequence[Mapping[str, Any]] | None = None,
    kept: Sequence[Mapping[str, Any]] = (),
    resources: Mapping[str, Any] | None = None,
    claimed: bool = True,
) -> ClusterDiagnosis | None:
    """Why a worker waits, is being ended or ended; None when there is nothing to say: it runs, or succeeded.

    `job`, `pods` and `events` are the cluster's objects as JSON, whole or as `remember_job`, `remember` and `remember_event` cut them;
    `job` is None when the cluster has none. `kept` are pods as `remember` cut them before they went; `nodes` is None without the right to
    read them. `resources` is the job's row (`resources.as_dict`), for what the objects no longer say. `claimed`: the worker had taken its
    job; a worker that ended before that did not succeed, and its end is never the user's fault.
    """
    scene = read_scene(
        job=job,
        pods=pods,
        events=events,
        nodes=nodes,
        kept=kept,
        resources=resources,
        claimed=claimed,
    )
    if scene.succeeded() and claimed:
        return None
    pod = scene.pods[0] if scene.pods else None
    found = (
        _without_pod(scene) if pod is None else _live(scene, pod) if pod.live else _gone(scene, pod)
    )
    return found if claimed or found is None else replace(found, counts=False)


def diagnose_refusal(message: str, *, reason: str = "Forbidden") -> ClusterDiagnosis:
    """Why the API server refused to create a worker's Job (403, 422), by its message."""
    return told(refused_finding(message, reason=reason), Stage.WAITS)


def no_answer(why: str) -> ClusterDiagnosis:
    """The API server gave the launch no sure answer; it is asked again. `why`: its words, or the network's."""
    return told(
        Finding(
            FailureReason.CLUSTER_UNREACHABLE,
            "Waiting: the cluster has not confirmed the worker, and is asked again.",
            "Nothing is lost, and nothing runs twice. If it stays so, an administrator should look at the cluster and at the way to it.",
            why,
            ("Look at the cluster, if it stays so",),
            meanwhile=THEN_BY_ITSELF,
        ),
        Stage.WAITS,
    )


def not_answered_yet() -> ClusterDiagnosis:
    """The API server has been asked to launch, and takes its time."""
    return told(
        Finding(
            FailureReason.CLUSTER_UNREACHABLE,
            "Waiting: the cluster has been asked for the worker, and has not answered yet.",
            "Nothing is lost, and nothing runs twice. If it stays so, an administrator should look at the cluster and at the way to it.",
            "",
            ("Look at the cluster, if it stays so",),
            meanwhile=THEN_BY_ITSELF,
        ),
        Stage.WAITS,
    )


def not_stored_yet(why: str) -> ClusterDiagnosis:
    """The worker's folder cannot be written. `why`: the system's words."""
    return told(
        Finding(
            FailureReason.UNSCHEDULABLE_DISK,
            "Waiting: the disk for workers is full or cannot be written.",
            "Nothing is lost. An administrator must free space on the disk that WORKERS_DIR names, or make it writable.",
            why,
            ("Free space on the disk for workers",),
            meanwhile=THEN_BY_ITSELF,
        ),
        Stage.WAITS,
    )


def not_allowed(message: str) -> ClusterDiagnosis:
    """The API server does not let the orchestrator launch (401, or 403 by its roles). `message`: its own words."""
    return told(not_allowed_finding(message), Stage.WAITS)


def not_called_yet() -> ClusterDiagnosis:
    """Its container runs; the claim is what comes next."""
    return told(
        Finding(
            FailureReason.STARTING,
            "The worker's container runs, and has not called the orchestrator yet.",
            "That takes a moment. If it stays so, an administrator should look at the address workers reach the orchestrator by "
            "(ORCHESTRATOR_URL) and at the network policies.",
            "",
            (NOTHING_TO_DO,),
        ),
        Stage.WAITS,
    )


def never_claimed(log: str = "") -> ClusterDiagnosis:
    """Its container runs, as the cluster reports, and has not called. `log`: the last lines that it printed, which may say why."""
    lines = last_lines(log)
    summary = "Its container runs, and has not called the orchestrator."
    advice = "An administrator should look at the address workers reach the orchestrator by (ORCHESTRATOR_URL) and at the network policies."
    step = "Correct the way from the workers to the orchestrator"
    if _NO_NAME.search(log):
        summary = "Its container runs, and cannot resolve the name of the orchestrator: DNS does not work in its pod."
        advice = (
            "An administrator should look at the cluster's DNS (CoreDNS), at network policies that stop queries to it (port 53), and at the address"
            " workers reach the orchestrator by (ORCHESTRATOR_URL)."
        )
        step = "Correct the DNS of the workers' pods"
    elif lines:
        summary = (
            f"Its container runs, and has not called the orchestrator. Its last lines: {lines}."
        )
    return told(Finding(FailureReason.NEVER_CLAIMED, summary, advice, "", (step,)), Stage.ENDED)


_NO_NAME = re.compile(
    r"name resolution|name or service not known|gaierror|getaddrinfo|no such host|nodename nor servname|NXDOMAIN|EAI_AGAIN|could not resolve",
    re.I,
)


def heartbeat_lost(
    seconds: float, *, cluster: str = "", since: str = "", heard: str = "", elsewhere: bool = False
) -> ClusterDiagnosis:
    """It and its cluster have been silent for `seconds`: nobody can say what became of it.

    `since`: when the cluster last answered, `heard`: when the worker did, as people read them. `elsewhere`: the job asked for this place.
    """
    summary = f"The worker has been silent for {duration_text(seconds)}, and its cluster does not say what became of it."
    if cluster:
        summary = f"The cluster {cluster} has not answered since {since}, and the worker has not been heard of since {heard}."
    return told(
        Finding(
            FailureReason.HEARTBEAT_LOST,
            summary,
            f"Given up after {duration_text(seconds)} in which neither came back. Not the job's fault; nothing was written to the project. "
            "An administrator should look at the cluster and at the way to it. The log may lack its last lines.",
            "",
            _elsewhere(elsewhere, "Look at the cluster"),
        ),
        Stage.ENDED,
    )


def node_silent(node: str) -> ClusterDiagnosis:
    """The cluster still shows it, but hears no more of its node, and the worker is not heard of either."""
    found = ending.node_lost("", node)
    summary = f"Its node{f' {node}' if node else ''} does not answer, and the worker has not been heard of for as long as the cluster's grace allows."
    return told(replace(found, summary=summary), Stage.ENDED)


def never_started_away(
    seconds: float, *, cluster: str, since: str, elsewhere: bool = False
) -> ClusterDiagnosis:
    """It did not claim within `seconds`, and its cluster does not answer. The other words are those of `heartbeat_lost`."""
    return told(
        Finding(
            FailureReason.LAUNCH_TIMEOUT,
            f"The cluster {cluster} has not answered since {since}, and the worker did not report within {duration_text(seconds)} of its admission.",
            "The work had not begun. An administrator should look at the cluster and at the way to it.",
            "",
            _elsewhere(elsewhere, "Look at the cluster"),
        ),
        Stage.ENDED,
    )


def _elsewhere(asked: bool, *then: str) -> tuple[str | Mapping[str, Any], ...]:
    """Next steps of a job whose place is away: another place, where it asked for this one, before what an administrator has to do."""
    return (AGAIN, *((ANYWHERE,) if asked else ()), *then)


def _live(scene: Scene, pod: Pod) -> ClusterDiagnosis | None:
    if pod.ended():
        return _ended(scene, pod)
    if pod.deleting or pod.disrupted() or scene.late():
        return _closed(scene, taken_away(scene, pod, ending_now=True), Stage.ENDING)
    if pod.phase == "Unknown" or scene.node_is_away(pod):
        event = scene.has("NodeNotReady")
        return told(
            ending.node_lost(
                f"NodeNotReady: {event.message}" if event else "NodeNotReady", pod.node, waits=True
            ),
            Stage.WAITS,
        )
    if pod.running():
        return _replaced(scene)
    return told(wait(scene, pod), Stage.WAITS, before=_earlier(scene))


def _ended(scene: Scene, pod: Pod) -> ClusterDiagnosis | None:
    """A pod that says itself how it ended, unless it was ended: then its container only says that it was killed."""
    found = ending.ended_finding(pod, scene.asked, claimed=scene.claimed)
    if found is None:
        return None
    killed = found.facts.get("signal") in OUTSIDE
    if scene.late() and (killed or found.category is FailureReason.WORKER_LOST):
        found = late_finding(scene, pod, ending_now=False)
    elif (
        killed
        and not pod.disrupted()
        and (pod.deleting or scene.has("Killing") or scene.suspended())
    ):
        found = taken_away(scene, pod, ending_now=False)
    return _closed(scene, refined(scene, pod, found), Stage.ENDED)


def _gone(scene: Scene, pod: Pod) -> ClusterDiagnosis | None:
    """A pod that the cluster no longer has."""
    if pod.ended():
        return _ended(scene, pod)
    if (
        not pod.uid
        and not scene.failure().holds
        and (whole(at(scene.job, "status").get("active")) or 0) > 0
    ):
        return (
            None if scene.has("Started") else told(wait(scene, pod), Stage.WAITS)
        )  # its Job has it: it was not listed yet
    return _closed(scene, taken_away(scene, pod, ending_now=False), Stage.ENDED)


def _without_pod(scene: Scene) -> ClusterDiagnosis | None:
    """There never was a pod, as far as anybody knows."""
    failure = scene.failure()
    raw = scene.failure_words()
    stage = Stage.ENDED if failure.holds or not scene.job else Stage.WAITS
    last = next(
        (
            event
            for event in reversed(scene.job_events)
            if event.reason in ("FailedCreate", "SuccessfulCreate", "Completed")
        ),
        None,
    )
    if last and last.reason == "Completed":
        return None
    if last and last.reason == "FailedCreate":
        return _closed(scene, created_nothing(last.message), stage)
    if not scene.job:
        return told(ending.vanished_finding("the cluster has neither Job nor pod", ""), stage)
    if scene.suspended() and not failure.holds:
        return told(suspended(), stage)
    if scene.late():
        ran = (whole(at(scene.job, "status").get("failed")) or 0) > 0
        return (
            told(ending.deadline_finding(raw, scene.asked.deadline_seconds), stage)
            if ran
            else told(timed_out(raw), stage)
        )
    if failure.holds:
        return told(_failed_job(raw, failure), stage)
    return told(
        Finding(
            FailureReason.STARTING,
            "The cluster is making the worker's pod.",
            "Nothing is wrong so far.",
            "",
            (NOTHING_TO_DO,),
        ),
        stage,
    )


def _failed_job(raw: str, failure: Condition) -> Finding:
    """What a Job says of the pod that nobody has seen."""
    return said_by_job(failure, raw, "") or ending.vanished_finding(raw, "")


def _replaced(scene: Scene) -> ClusterDiagnosis | None:
    """A running pod has nothing to say, unless an earlier one of the attempt was taken away: then the cluster runs it a second time."""
    found = next(filter(None, (_taken_before(scene, pod) for pod in scene.pods[1:])), None)
    return (
        told(found, Stage.WAITS, before="The cluster started another pod in its place.")
        if found
        else None
    )


def _earlier(scene: Scene) -> str:
    """What became of the pod before this one, as a sentence."""
    before = next(iter(scene.pods[1:]), None)
    found = (
        (
            _taken_before(scene, before)
            or ending.ended_finding(before, scene.asked, claimed=scene.claimed)
        )
        if before
        else None
    )
    return f"An earlier pod of this attempt: {found.summary}" if found else ""


def _taken_before(scene: Scene, pod: Pod) -> Finding | None:
    """Why an earlier pod was taken away. A Job of ours makes a second pod for no other cause than a disruption that its policy ignores."""
    own = scene.of(pod)
    killed = own.has("Killing") if not pod.ended() else None
    return disruption_of(own, pod) or (
        ending.evicted_by_request(f"Killing: {killed.message}", pod.node) if killed else None
    )


def _closed(scene: Scene, found: Finding, stage: Stage) -> ClusterDiagnosis:
    """The diagnosis of a worker that ends or has ended; a wait that did not end well is told as such."""
    if stage is Stage.WAITS:
        return told(found, stage)
    if found.category is FailureReason.IMAGE_PULLING:
        found = never_pulled(str(found.facts.get("image", "")), found.raw)
    found = replace(found, summary=told_never(found.summary))
    late = scene.late() and found.category not in (
        FailureReason.DEADLINE_EXCEEDED,
        FailureReason.LAUNCH_TIMEOUT,
    )
    limit = scene.asked.deadline_seconds
    return told(
        found,
        stage,
        before=f"Its Job's deadline{f' of {duration_text(limit)}' if limit else ''} ended it."
        if late
        else "",
    )
