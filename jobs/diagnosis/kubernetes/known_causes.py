"""Diagnoses of causes that the orchestrator itself observes, without objects of a cluster. Pure."""

import re

from jobs.diagnosis.catalogue import launch, worker_end
from jobs.diagnosis.kubernetes.cause import Cause, Diagnosis, Stage, diagnosis_of
from jobs.diagnosis.kubernetes.rules_exit import last_lines
from jobs.diagnosis.kubernetes.rules_refusal import not_allowed_cause, refusal_cause
from jobs.diagnosis.message import Param

_NO_NAME = re.compile(
    r"name resolution|name or service not known|gaierror|getaddrinfo|no such host"
    r"|nodename nor servname|NXDOMAIN|EAI_AGAIN|could not resolve",
    re.I,
)


def diagnose_refusal(message: str, *, reason: str = "Forbidden") -> Diagnosis:
    """Return why the API server refused to create a worker's Job (403, 422), by its message."""
    return diagnosis_of(refusal_cause(message, reason=reason), Stage.WAITS)


def not_allowed(message: str) -> Diagnosis:
    """Return the diagnosis of a launch denied by the API server (401, or 403 by an authorizer)."""
    return diagnosis_of(not_allowed_cause(message), Stage.WAITS)


def no_answer(why: str) -> Diagnosis:
    """Return the diagnosis of a launch with an unknown result. `why`: the error of the request."""
    return diagnosis_of(Cause(launch.NOT_CONFIRMED, {}, why), Stage.WAITS)


def not_answered_yet() -> Diagnosis:
    """Return the diagnosis of a launch request that the API server has not answered yet."""
    return diagnosis_of(Cause(launch.NOT_ANSWERED), Stage.WAITS)


def not_stored_yet(why: str) -> Diagnosis:
    """Return the diagnosis of a worker whose folder cannot be written. `why`: the OS error."""
    return diagnosis_of(Cause(launch.WORKERS_DISK_FULL, {}, why), Stage.WAITS)


def not_called_yet() -> Diagnosis:
    """Return the diagnosis of a running container that has not claimed the job yet."""
    return diagnosis_of(Cause(launch.NOT_CALLED), Stage.WAITS)


def never_claimed(log: str = "") -> Diagnosis:
    """Return the diagnosis of a running container that never claimed. `log`: its last lines."""
    if _NO_NAME.search(log):
        return diagnosis_of(Cause(launch.NO_DNS), Stage.ENDED)
    cause = Cause(launch.NEVER_CALLED, {"last_lines": last_lines(log)})
    return diagnosis_of(cause, Stage.ENDED)


def heartbeat_lost(
    seconds: float,
    *,
    cluster: str = "",
    since: str = "",
    last_heartbeat: str = "",
    placed: bool = False,
) -> Diagnosis:
    """Return the diagnosis of a worker that was silent for `seconds`, like its cluster.

    `since`: time of the cluster's last answer, `last_heartbeat`: of the worker's, both as text.
    `placed`: the job requests this cluster or region.
    """
    if cluster:
        found = launch.CLUSTER_SILENT_PLACED if placed else launch.CLUSTER_SILENT
    else:
        found = launch.HEARTBEAT_LOST_PLACED if placed else launch.HEARTBEAT_LOST
    params: dict[str, Param] = {
        "seconds": seconds,
        "cluster": cluster,
        "since": since,
        "heard": last_heartbeat,
    }
    return diagnosis_of(Cause(found, params), Stage.ENDED)


def never_started_away(
    seconds: float, *, cluster: str, since: str, placed: bool = False
) -> Diagnosis:
    """Return the diagnosis of a worker without a claim after `seconds`, on a silent cluster.

    `since`: time of the cluster's last answer, as text. `placed`: the job requests this cluster or
    region.
    """
    found = launch.NEVER_STARTED_AWAY_PLACED if placed else launch.NEVER_STARTED_AWAY
    params: dict[str, Param] = {"seconds": seconds, "cluster": cluster, "since": since}
    return diagnosis_of(Cause(found, params), Stage.ENDED)


def node_silent(node: str) -> Diagnosis:
    """Return the diagnosis of a worker that, like its node, was silent for the grace period."""
    return diagnosis_of(Cause(worker_end.NODE_SILENT_TOO_LONG, {"node": node}), Stage.ENDED)
