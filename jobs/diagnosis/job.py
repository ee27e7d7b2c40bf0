"""Why an attempt ended, as {category, summary, detail, next_steps}: made once, here, so that page, API and log say the same. Pure.

`summary` is one sentence, `detail` one or two more, `next_steps` at most three, best first: {"label", "patch"}. `patch` holds the fields of
a new request that differ (the keys of POST …/jobs/), {} for "again, unchanged", and null where a person has to do something else first.
"""

from collections.abc import Callable, Mapping
from typing import Any

from jobs.contract import CLUSTER, FailureReason
from jobs.core.resources import format_cpu, format_memory
from mimir.lib.words import told_memory, told_span

Diagnosis = dict[str, Any]
_AGAIN = {"label": "Run again", "patch": {}}
_NOTHING_WRITTEN = "Nothing was written to the project."


def diagnose(
    reason: FailureReason,
    *,
    message: str = "",
    detail: Mapping[str, Any] | None = None,
    resources: Mapping[str, Mapping[str, int]],
    timeout_seconds: int,
    ready: Mapping[str, Any] | None = None,
) -> Diagnosis:
    """The diagnosis of one ended attempt.

    `message` is the worker's own sentence, `detail` its facts (see docs/worker-protocol.md), `resources` the job's as `resources.as_dict`
    made them. `ready` is what the cluster's diagnosis of the same reason tells (`ClusterDiagnosis.told`): it saw more than is known here.
    Untrusted text stays text: callers cut it to size.
    """
    facts = dict(detail or {})
    maker = _MAKERS.get(reason, _plain)
    made = maker(reason, message, facts, resources, timeout_seconds)
    if ready is None or ready.get("category") != reason.value:
        return made
    return _joined(made, ready, peak_is_known=bool(_number(facts.get("peak_bytes"))))


def _joined(made: Diagnosis, ready: Mapping[str, Any], *, peak_is_known: bool) -> Diagnosis:
    """The cluster's words, save for what only the job's row knows: its own time limit, and the memory that it used."""
    joined = {**made, **ready}
    if made["category"] == FailureReason.DEADLINE_EXCEEDED:
        joined["next_steps"] = made["next_steps"]
    if made["category"] == FailureReason.OUT_OF_MEMORY and peak_is_known:
        joined["summary"] = made["summary"]
    return joined


def never_fits(
    resources: Mapping[str, Mapping[str, int]], *, cluster: str = "", region: str = ""
) -> Diagnosis:
    """A job that no cluster can ever hold, of those that it asks for by name or region."""
    limits = resources["requests"]
    asked = f"{format_cpu(limits['cpu_millicores'])} CPU and {told_memory(limits['memory_bytes'])} of memory"
    if limits.get("gpus"):
        asked += f" and {limits['gpus']} GPU"
    which = (
        f"the cluster {cluster} has"
        if cluster
        else f"any cluster in the region {region} has"
        if region
        else "any cluster has"
    )
    elsewhere = {"label": "Run on any cluster", "patch": {"cluster": None, "region": None}}
    return _made(
        FailureReason.NEVER_FITS,
        f"Cannot start: asks for {asked}, more than {which}.",
        "An administrator can add a larger cluster; or ask for less.",
        {"label": "Ask for less", "patch": {"resources": {}}},
        *([elsewhere] if cluster or region else []),
    )


def storage_wait(problem: str) -> Diagnosis:
    """Diagnosis of a running job whose worker cannot store its files. `problem` says what is wrong, without a full stop."""
    return _made(
        FailureReason.STORAGE_UNAVAILABLE,
        f"Waiting: {problem}.",
        "The worker retries every few seconds, and the job continues by itself as soon as the storage works again."
        " An administrator must free space in the artifact storage (ARTIFACTS_URL) or repair it.",
    )


ADMINISTRATORS = frozenset(
    {
        FailureReason.LAUNCH_TIMEOUT,
        FailureReason.LAUNCH_FAILED,
        FailureReason.NEVER_FITS,
        FailureReason.DISK_FULL,
        FailureReason.STORAGE_UNAVAILABLE,
        FailureReason.PROTOCOL,
        FailureReason.MODEL_CORRUPT,
        FailureReason.SUSPENDED,
        FailureReason.IMAGE_NOT_FOUND,
        FailureReason.IMAGE_PULL_DENIED,
        FailureReason.CLUSTER_UNREACHABLE,
        FailureReason.CLUSTER_FORBIDDEN,
        FailureReason.IMAGE_PULL_FAILED,
        FailureReason.IMAGE_NAME_INVALID,
        FailureReason.IMAGE_NEVER_PULL,
        FailureReason.REGISTRY_UNREACHABLE,
        FailureReason.UNSCHEDULABLE,
        FailureReason.UNSCHEDULABLE_CPU,
        FailureReason.UNSCHEDULABLE_MEMORY,
        FailureReason.UNSCHEDULABLE_GPU,
        FailureReason.UNSCHEDULABLE_DISK,
        FailureReason.UNSCHEDULABLE_SELECTOR,
        FailureReason.UNSCHEDULABLE_TAINT,
        FailureReason.UNSCHEDULABLE_VOLUME,
        FailureReason.QUOTA_EXCEEDED,
        FailureReason.LIMIT_RANGE,
        FailureReason.POD_SECURITY,
        FailureReason.ADMISSION_DENIED,
        FailureReason.ADMISSION_UNAVAILABLE,
        FailureReason.MISSING_SECRET,
        FailureReason.MISSING_CONFIG_MAP,
        FailureReason.MISSING_VOLUME_CLAIM,
        FailureReason.MISSING_SERVICE_ACCOUNT,
        FailureReason.MISSING_PRIORITY_CLASS,
        FailureReason.VOLUME_UNBOUND,
        FailureReason.MOUNT_FAILED,
        FailureReason.INIT_FAILED,
        FailureReason.BAD_COMMAND,
        FailureReason.SANDBOX_FAILED,
        FailureReason.NETWORK_FAILED,
        FailureReason.NEVER_CLAIMED,
        FailureReason.HEARTBEAT_LOST,
    }
)  # what only an administrator can mend


def remedy(reason: str) -> str:
    """What mends failures of this kind, in one sentence, for who looks at many jobs at once. Rows may bear another release's reason."""
    known = {member.value for member in FailureReason}
    return (
        _REMEDIES[FailureReason(reason)]
        if reason in known
        else "This release does not know the reason: look at one of the jobs."
    )


def _made(reason: FailureReason, summary: str, detail: str, *steps: dict[str, Any]) -> Diagnosis:
    return {
        "category": reason.value,
        "summary": summary,
        "detail": detail,
        "next_steps": list(steps[:3]),
    }


def _number(value: object) -> float:
    """A worker's number; 0 for what is none."""
    return float(value) if isinstance(value, int | float) else 0.0


def _in_step(facts: Mapping[str, Any]) -> str:
    step = facts.get("step")
    return f" in step {step}" if isinstance(step, str) and step else ""


def _plain(
    reason: FailureReason, message: str, facts: Mapping[str, Any], _resources: Any, _timeout: int
) -> Diagnosis:
    return _made(reason, message or f"The job ended: {reason.value}.", _NOTHING_WRITTEN, _AGAIN)


def _workload(
    reason: FailureReason, message: str, facts: Mapping[str, Any], _resources: Any, _timeout: int
) -> Diagnosis:
    summary = message or f"The work failed{_in_step(facts)}."
    return _made(
        reason,
        summary,
        f"The log shows what came before. {_NOTHING_WRITTEN}",
        {"label": "Change and run again", "patch": None},
        _AGAIN,
    )


def _exit_code(
    reason: FailureReason, message: str, facts: Mapping[str, Any], _resources: Any, _timeout: int
) -> Diagnosis:
    code = facts.get("exit_code")
    summary = message or f"The command ended with exit code {code}{_in_step(facts)}."
    return _made(
        reason,
        summary,
        f"Its last lines are at the end of the log. {_NOTHING_WRITTEN}",
        {"label": "Change and run again", "patch": None},
        _AGAIN,
    )


def _signal(
    reason: FailureReason, message: str, facts: Mapping[str, Any], _resources: Any, _timeout: int
) -> Diagnosis:
    number = facts.get("signal")
    names = {
        6: "it aborted itself",
        7: "a bus error",
        8: "an arithmetic error",
        9: "it was killed",
        11: "a segmentation fault",
    }
    why = names.get(number, "a signal") if isinstance(number, int) else "a signal"
    summary = message or f"The command was ended by signal {number}: {why}{_in_step(facts)}."
    return _made(
        reason,
        summary,
        f"Native code of the command or of a library it uses did this, not Mimir. {_NOTHING_WRITTEN}",
        {"label": "Change and run again", "patch": None},
        _AGAIN,
    )


def _memory(
    reason: FailureReason, message: str, facts: Mapping[str, Any], resources: Any, _timeout: int
) -> Diagnosis:
    limit = _number(facts.get("limit_bytes")) or resources["limits"]["memory_bytes"]
    peak = _number(facts.get("peak_bytes"))
    used = (
        f"Used {told_memory(peak)} of its {told_memory(limit)}"
        if peak
        else f"Its limit is {told_memory(limit)}"
    )
    more = 2 * resources["limits"]["memory_bytes"]
    return _made(
        reason,
        f"Ran out of memory{_in_step(facts)}. {used}.",
        f"It was stopped before the machine ran out. {_NOTHING_WRITTEN}",
        {
            "label": f"Run again with {told_memory(more)}",
            "patch": {"resources": {"memory": format_memory(more)}},
        },
        {"label": "Read fewer rows or columns", "patch": None},
    )


def _deadline(
    reason: FailureReason, message: str, facts: Mapping[str, Any], _resources: Any, timeout: int
) -> Diagnosis:
    return _made(
        reason,
        f"Stopped at its time limit of {told_span(timeout)}{_in_step(facts)}.",
        f"Raise the limit, give it more CPU, or read less. {_NOTHING_WRITTEN}",
        {
            "label": f"Run again with {told_span(2 * timeout)}",
            "patch": {"timeout_seconds": 2 * timeout},
        },
        _AGAIN,
    )


def _launch_timeout(
    reason: FailureReason, message: str, facts: Mapping[str, Any], _resources: Any, _timeout: int
) -> Diagnosis:
    return _made(
        reason,
        message or "Its worker did not report within the launch time limit.",
        "An administrator should look at the worker's machine and at the address workers reach the orchestrator by.",
        _AGAIN,
    )


def _launch_failed(
    reason: FailureReason, message: str, facts: Mapping[str, Any], _resources: Any, _timeout: int
) -> Diagnosis:
    return _made(
        reason,
        message or "Its worker could not be started.",
        "An administrator has to act before another try helps.",
        _AGAIN,
    )


def _lost(
    reason: FailureReason, message: str, facts: Mapping[str, Any], _resources: Any, _timeout: int
) -> Diagnosis:
    return _made(
        reason,
        message or "Its worker vanished: it was killed from outside, or its machine stopped.",
        f"Not the job's fault. {_NOTHING_WRITTEN} The log may lack its last lines.",
        _AGAIN,
    )


def _cluster(
    reason: FailureReason, message: str, facts: Mapping[str, Any], _resources: Any, _timeout: int
) -> Diagnosis:
    """Of a cause that only a cluster knows, without the cluster's own words."""
    return _made(
        reason,
        message or f"{reason.value.replace('_', ' ').capitalize()}.",
        _REMEDIES[reason],
        _AGAIN,
    )


def _source(
    reason: FailureReason, message: str, facts: Mapping[str, Any], _resources: Any, _timeout: int
) -> Diagnosis:
    return _made(
        reason,
        message or "A source did not answer.",
        f"Try again when the source answers. {_NOTHING_WRITTEN}",
        _AGAIN,
    )


def _input(
    reason: FailureReason, message: str, facts: Mapping[str, Any], _resources: Any, _timeout: int
) -> Diagnosis:
    return _made(
        reason,
        message or "The data does not fit the definition.",
        f"Another try changes nothing until the data or the definition does. {_NOTHING_WRITTEN}",
        {"label": "Change and run again", "patch": None},
    )


def _mismatch(
    reason: FailureReason, message: str, facts: Mapping[str, Any], _resources: Any, _timeout: int
) -> Diagnosis:
    return _made(
        reason,
        message or "The dataset does not fit the model.",
        f"A model takes the columns it was trained on, each of its kind; a pipeline can rename and convert them. {_NOTHING_WRITTEN}",
        {"label": "Choose a dataset that fits", "patch": None},
        {"label": "Train a model on this dataset", "patch": None},
    )


def _corrupt(
    reason: FailureReason, message: str, facts: Mapping[str, Any], _resources: Any, _timeout: int
) -> Diagnosis:
    return _made(
        reason,
        message or "The model's file cannot be used.",
        f"It was not loaded. An administrator should look at the artifact storage: somebody or something changed a file in it. {_NOTHING_WRITTEN}",
        {"label": "Train it again", "patch": None},
        {"label": "Use another version of the model", "patch": None},
    )


def _limit(
    reason: FailureReason, message: str, facts: Mapping[str, Any], _resources: Any, _timeout: int
) -> Diagnosis:
    return _made(
        reason,
        message or "It wrote more than an attempt may.",
        "An administrator sets this limit; writing less is the other way.",
        {"label": "Change and run again", "patch": None},
    )


def _storage(
    reason: FailureReason, message: str, facts: Mapping[str, Any], _resources: Any, _timeout: int
) -> Diagnosis:
    return _made(
        reason,
        message or "The artifact storage took no files.",
        f"Not the job's fault. An administrator must free space in the artifact storage (ARTIFACTS_URL) or repair it. {_NOTHING_WRITTEN}",
        _AGAIN,
    )


_Maker = Callable[[FailureReason, str, Mapping[str, Any], Any, int], Diagnosis]
_MAKERS: dict[FailureReason, _Maker] = {
    FailureReason.WORKLOAD_FAILED: _workload,
    FailureReason.INVALID_INPUT: _input,
    FailureReason.SIGNATURE_MISMATCH: _mismatch,
    FailureReason.MODEL_CORRUPT: _corrupt,
    FailureReason.EXIT_CODE: _exit_code,
    FailureReason.SIGNAL: _signal,
    FailureReason.OUT_OF_MEMORY: _memory,
    FailureReason.LOG_LIMIT_EXCEEDED: _limit,
    FailureReason.ARTIFACT_LIMIT_EXCEEDED: _limit,
    FailureReason.DISK_FULL: _limit,
    FailureReason.STORAGE_UNAVAILABLE: _storage,
    FailureReason.SOURCE_UNAVAILABLE: _source,
    FailureReason.DEADLINE_EXCEEDED: _deadline,
    FailureReason.LAUNCH_TIMEOUT: _launch_timeout,
    FailureReason.LAUNCH_FAILED: _launch_failed,
    FailureReason.WORKER_LOST: _lost,
    FailureReason.INTERRUPTED: _lost,
    **dict.fromkeys(CLUSTER, _cluster),
}

_REMEDIES: dict[FailureReason, str] = {
    FailureReason.WORKLOAD_FAILED: "The step's message and the log say what to change in the definition or the parameters.",
    FailureReason.INVALID_INPUT: "Mend the data or the definition: another try changes nothing.",
    FailureReason.SIGNATURE_MISMATCH: "Give the model data with the columns it was trained on, or train it anew.",
    FailureReason.MODEL_CORRUPT: "The model's file is not the one that was stored: look at the storage, and train the model again.",
    FailureReason.EXIT_CODE: "The end of the log says what the command complained about.",
    FailureReason.SIGNAL: "Native code of the command crashed: change its version or its input.",
    FailureReason.OUT_OF_MEMORY: "Run again with more memory, or read fewer rows or columns.",
    FailureReason.LOG_LIMIT_EXCEEDED: "Write less to the log, or raise LOG_BYTES_MAX.",
    FailureReason.ARTIFACT_LIMIT_EXCEEDED: "Write less, or raise ARTIFACT_BYTES_MAX or ARTIFACT_COUNT_MAX.",
    FailureReason.STORAGE_UNAVAILABLE: "Free space in the artifact storage (ARTIFACTS_URL), or make it writable and reachable again.",
    FailureReason.DISK_FULL: "Make room on the disk that workers write to (WORKERS_DIR), or write less.",
    FailureReason.SOURCE_UNAVAILABLE: "Try again once the source answers; READ_URL_ALLOW says which addresses workers may read.",
    FailureReason.DEADLINE_EXCEEDED: "Raise the time limit, give it more CPU, or read less.",
    FailureReason.LAUNCH_TIMEOUT: "Look at the workers' machine and at the address workers reach the orchestrator by.",
    FailureReason.LAUNCH_FAILED: "Look at the job's message: the launcher refused the worker.",
    FailureReason.NEVER_FITS: "Add room to a cluster, or have people ask for less.",
    FailureReason.WORKER_LOST: "Run again; if it comes back, look at the workers' machine.",
    FailureReason.INTERRUPTED: "Run again: its surroundings stopped the worker.",
    FailureReason.SHUTDOWN: "Nothing to do: the jobs start again with Mimir.",
    FailureReason.STALE_BASE: "Run again: it then works on the newest revision.",
    FailureReason.PROTOCOL: "Worker and orchestrator are of different releases, or the worker is at fault: look at the job's message.",
    FailureReason.CANCELLED: "Nothing to do: a person cancelled it.",
    FailureReason.CLUSTER_UNREACHABLE: "Look at the cluster's API server and at the way to it: it did not confirm the worker.",
    FailureReason.CLUSTER_FORBIDDEN: "Give the orchestrator's service account its Role in the workers' namespace: deploy/k8s has it.",
    FailureReason.STARTING: "Run again; if it comes back, look at the worker's pod (kubectl describe pod): the cluster did not get it started.",
    FailureReason.SUSPENDED: "Release the Job, or look at the queueing controller (Kueue, for one) that holds it back.",
    FailureReason.IMAGE_PULLING: "Raise LAUNCH_TIMEOUT, or have the worker's image on the nodes beforehand: pulling it takes too long.",
    FailureReason.IMAGE_NOT_FOUND: "Push the worker's image, or correct WORKER_IMAGE.",
    FailureReason.IMAGE_PULL_DENIED: "Name a pull secret that the registry accepts in WORKER_IMAGE_PULL_SECRETS, or correct WORKER_IMAGE.",
    FailureReason.IMAGE_PULL_FAILED: "Look at the job's message: the node could not fetch the worker's image.",
    FailureReason.IMAGE_NAME_INVALID: "Correct WORKER_IMAGE: it is no image name.",
    FailureReason.IMAGE_NEVER_PULL: "Load the worker's image on every node, or set WORKER_IMAGE_PULL_POLICY to IfNotPresent.",
    FailureReason.REGISTRY_UNREACHABLE: "Mend the way from the nodes to the image registry (name, firewall, proxy, certificate, rate limit).",
    FailureReason.UNSCHEDULABLE: "Look at the job's message: it says what the scheduler found wrong with each node.",
    FailureReason.UNSCHEDULABLE_CPU: "Add a node with more CPU, or have people ask for less.",
    FailureReason.UNSCHEDULABLE_MEMORY: "Add a node with more memory, or have people ask for less.",
    FailureReason.UNSCHEDULABLE_GPU: "Add a GPU node or its device plugin, or have people run without a GPU.",
    FailureReason.UNSCHEDULABLE_DISK: "Make room on the nodes' disks, or add a node with more ephemeral storage.",
    FailureReason.UNSCHEDULABLE_SELECTOR: "Label a node as the cluster's node selector asks, or correct the selector.",
    FailureReason.UNSCHEDULABLE_TAINT: "Look at the nodes' taints: a node that is not ready or being removed has one while that lasts.",
    FailureReason.UNSCHEDULABLE_VOLUME: "Make room where the volume is, or use a volume that every node can mount (ReadWriteMany).",
    FailureReason.NODE_REJECTED: "Run again; if it comes back, look at the node that refuses the workers.",
    FailureReason.QUOTA_EXCEEDED: "Raise the namespace's ResourceQuota, or let fewer jobs run at once.",
    FailureReason.LIMIT_RANGE: "Raise the namespace's LimitRange, or have people ask for what it allows.",
    FailureReason.POD_SECURITY: "Mend the worker's security context, or the namespace's Pod Security label.",
    FailureReason.ADMISSION_DENIED: "Look at the job's message: a rule of the cluster refuses the worker; change the rule or the worker.",
    FailureReason.ADMISSION_UNAVAILABLE: "Start the admission webhook named in the job's message, or remove its configuration.",
    FailureReason.MISSING_SECRET: "Create the secret in the workers' namespace.",
    FailureReason.MISSING_CONFIG_MAP: "Create the config map in the workers' namespace.",
    FailureReason.MISSING_VOLUME_CLAIM: "Create the volume claim in the workers' namespace, or let workers run without the model cache.",
    FailureReason.MISSING_SERVICE_ACCOUNT: "Create the service account in the workers' namespace: deploy/k8s has it.",
    FailureReason.MISSING_PRIORITY_CLASS: "Create the PriorityClass, or correct WORKER_PRIORITY_CLASSES.",
    FailureReason.VOLUME_UNBOUND: "Give the claim a volume or a storage class that makes one.",
    FailureReason.MOUNT_FAILED: "Look at the job's message and at the volume: the node could not mount it.",
    FailureReason.INIT_FAILED: "Look at the init container in the job's message, and at what adds it to the workers' pods.",
    FailureReason.BAD_COMMAND: "Correct WORKER_IMAGE: the worker's command cannot be run in it.",
    FailureReason.SANDBOX_FAILED: "Look at the container runtime of the node in the job's message.",
    FailureReason.NETWORK_FAILED: "Look at the network plugin (CNI) of the node in the job's message.",
    FailureReason.EVICTED: "Run again; if it comes back, look at the node that evicts workers.",
    FailureReason.EVICTED_DISK: "Run again; make room on the nodes' disks, or have workers ask for the disk they use.",
    FailureReason.EVICTED_DISK_LIMIT: "Write less to the scratch folder, or raise WORKER_DATA_BYTES.",
    FailureReason.EVICTED_MEMORY: "Run again; the node had too little memory: have workers request what they use.",
    FailureReason.EVICTED_BY_REQUEST: "Nothing to mend: a node was drained; the job runs again elsewhere.",
    FailureReason.PREEMPTED: "Nothing to mend: something of a higher priority took the room; add nodes if it happens often.",
    FailureReason.NODE_LOST: "Run again; look at the node that stopped answering.",
    FailureReason.NODE_SHUTDOWN: "Nothing to mend: the node was shut down; the job runs again elsewhere.",
    FailureReason.NEVER_CLAIMED: "Look at the address workers reach the orchestrator by (ORCHESTRATOR_URL) and at the network policies.",
    FailureReason.HEARTBEAT_LOST: "Look at the cluster: neither it nor the worker answered.",
    FailureReason.DELETED_BY_HAND: "Run again, if it was not deleted on purpose.",
    FailureReason.VANISHED: "Run again; if it comes back, look for what deletes the workers' pods.",
}
