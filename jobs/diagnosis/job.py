"""Why an attempt ended, as {category, summary, detail, next_steps}: made once, here, so that page, API and log say the same. Pure.

`summary` is one sentence, `detail` one or two more, `next_steps` at most three, best first: {"label", "patch"}. `patch` holds the fields of
a new request that differ (the keys of POST …/jobs/), {} for "again, unchanged", and null where a person has to do something else first.
"""

from collections.abc import Callable, Mapping
from typing import Any

from jobs.contract import FailureReason
from jobs.core.resources import format_cpu, format_memory
from jobs.reasons import CLUSTER_REASONS, REASONS
from mimir.lib.formatting import duration_text, memory_text

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

    `message` is the worker's own sentence, `detail` its facts (see docs/reference/worker-protocol.md), `resources` the job's as `resources.as_dict`
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
    asked = f"{format_cpu(limits['cpu_millicores'])} CPU and {memory_text(limits['memory_bytes'])} of memory"
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
        f"Used {memory_text(peak)} of its {memory_text(limit)}"
        if peak
        else f"Its limit is {memory_text(limit)}"
    )
    more = 2 * resources["limits"]["memory_bytes"]
    return _made(
        reason,
        f"Ran out of memory{_in_step(facts)}. {used}.",
        f"It was stopped before the machine ran out. {_NOTHING_WRITTEN}",
        {
            "label": f"Run again with {memory_text(more)}",
            "patch": {"resources": {"memory": format_memory(more)}},
        },
        {"label": "Read fewer rows or columns", "patch": None},
    )


def _deadline(
    reason: FailureReason, message: str, facts: Mapping[str, Any], _resources: Any, timeout: int
) -> Diagnosis:
    return _made(
        reason,
        f"Stopped at its time limit of {duration_text(timeout)}{_in_step(facts)}.",
        f"Raise the limit, give it more CPU, or read less. {_NOTHING_WRITTEN}",
        {
            "label": f"Run again with {duration_text(2 * timeout)}",
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
        REASONS[reason].remedy,
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
    **dict.fromkeys(CLUSTER_REASONS, _cluster),
}
