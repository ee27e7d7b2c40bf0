"""Diagnosis of an ended attempt, from its reason and the facts that are known. Pure.

`summary` is one sentence, `detail` a few more, `next_steps` at most three, best first:
{"label", "patch", "actor"}. `patch` holds the fields of a new request that differ (the keys of
POST …/jobs/), {} for an unchanged one, and null when a person must act first.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from jobs.contract import FailureReason
from jobs.core.resources import format_cpu, format_memory
from jobs.diagnosis.catalogue import attempts, launch
from jobs.diagnosis.message import DiagnosisBody, Message, Param, Params, steps_of

TEXT_MAX, NUMBER_END = 200, 2**62  # of one fact of a worker
Resources = Mapping[str, Mapping[str, int]]
_SIGNALS = {
    6: "it aborted itself",
    7: "a bus error",
    8: "an arithmetic error",
    9: "it was killed",
    11: "a segmentation fault",
}


@dataclass(frozen=True, slots=True)
class MemoryOutcome:
    """Consequence of an out-of-memory end of a job with `memory_max`; amounts in bytes.

    `next_bytes`: limit of the next attempt; None if the memory is not raised.
    """

    ran_with_bytes: int
    next_bytes: int | None
    max_bytes: int


@dataclass(frozen=True, slots=True)
class RaisedAttempt:
    """The attempt after which a job's memory was raised for the last time; amounts in bytes."""

    number: int
    ran_with_bytes: int
    max_bytes: int


def diagnose(
    reason: FailureReason,
    *,
    message: str = "",
    detail: Mapping[str, object] | None = None,
    resources: Resources,
    timeout_seconds: int,
    cluster_diagnosis: DiagnosisBody | None = None,
    memory: MemoryOutcome | None = None,
) -> DiagnosisBody:
    """Return the diagnosis of one ended attempt.

    `message` is the worker's own sentence, `detail` its facts (docs/reference/worker-protocol.md),
    `resources` the job's (`resources.as_dict`). `cluster_diagnosis` is used if it is for the same
    reason: it is more detailed. Untrusted text is not shortened here: callers must limit it.
    `memory`: given for an out-of-memory end of a job with `memory_max`.
    """
    if memory is not None:
        return _by_memory_policy(memory, detail or {}, resources, timeout_seconds)
    params = _params(detail or {}, resources, timeout_seconds)
    found = attempts.BY_REASON[reason]
    if found is attempts.OUT_OF_MEMORY and params["peak_bytes"]:
        found = attempts.OUT_OF_MEMORY_USED
    own = found.reason in (FailureReason.OUT_OF_MEMORY, FailureReason.DEADLINE_EXCEEDED)
    body = _body(found, params, summary="" if own else message)
    if cluster_diagnosis is None or cluster_diagnosis["category"] != reason.value:
        return body
    return _joined(body, cluster_diagnosis, peak_is_known=bool(params["peak_bytes"]))


def _by_memory_policy(
    memory: MemoryOutcome, facts: Mapping[str, object], resources: Resources, timeout_seconds: int
) -> DiagnosisBody:
    """Return the diagnosis of an out-of-memory end of a job with `memory_max`."""
    more = 2 * memory.ran_with_bytes
    params = _params(
        {"limit_bytes": memory.ran_with_bytes, **facts}, resources, timeout_seconds
    ) | {
        "next_bytes": memory.next_bytes,
        "max_bytes": memory.max_bytes,
        "more_bytes": more,
        "more": format_memory(more),
        "more_max": format_memory(max(more, memory.max_bytes)),
    }
    if memory.next_bytes is not None:
        return _body(attempts.OUT_OF_MEMORY_RAISED, params)
    if memory.ran_with_bytes >= memory.max_bytes:
        return _body(attempts.OUT_OF_MEMORY_AT_MAX, params)
    return _body(attempts.OUT_OF_MEMORY_ON_MACHINE, params)


def _joined(
    body: DiagnosisBody, cluster_diagnosis: DiagnosisBody, *, peak_is_known: bool
) -> DiagnosisBody:
    """Return the cluster's diagnosis with facts that only the job's row has.

    These are the job's limits, in the next steps, and the memory that it used.
    """
    joined: DiagnosisBody = {**body, **cluster_diagnosis}
    if body["category"] in (FailureReason.DEADLINE_EXCEEDED, FailureReason.OUT_OF_MEMORY):
        joined["next_steps"] = body["next_steps"]
    if body["category"] == FailureReason.OUT_OF_MEMORY and peak_is_known:
        joined["summary"] = body["summary"]
    return joined


def never_fits(
    resources: Resources,
    *,
    cluster: str = "",
    region: str = "",
    raised: RaisedAttempt | None = None,
) -> DiagnosisBody:
    """Return the diagnosis of a job that is too large for every cluster that it can use.

    `raised`: the attempt that ran out of memory, if the job's memory was raised after it.
    """
    amounts = resources["requests"]
    params: dict[str, Param] = {
        "cpu": format_cpu(amounts["cpu_millicores"]),
        "memory_bytes": amounts["memory_bytes"],
        "gpus": amounts.get("gpus") or None,
        "cluster": cluster,
        "region": region,
        "failed_attempt": raised.number if raised else None,
        "failed_bytes": raised.ran_with_bytes if raised else None,
        "max_bytes": raised.max_bytes if raised else None,
    }
    if cluster:
        return _body(launch.NEVER_FITS_CLUSTER, params)
    return _body(launch.NEVER_FITS_REGION if region else launch.NEVER_FITS, params)


def storage_wait(problem: str) -> DiagnosisBody:
    """Return the diagnosis of a running job whose worker cannot store its files.

    `problem` is a clause without a full stop.
    """
    return _body(attempts.STORAGE_WAIT, {"problem": problem}, waits=True)


def _body(
    found: Message, params: Params, *, summary: str = "", waits: bool = False
) -> DiagnosisBody:
    """Return the rendered message. `summary` replaces its own."""
    own = found.waits_summary(params) if waits else found.problem(params)
    return {
        "category": found.reason.value,
        "code": found.code,
        "params": {name: value for name, value in params.items() if value not in (None, "")},
        "summary": summary or own,
        "detail": found.detail_of(params),
        "next_steps": steps_of(found.steps, params, found.reason),
    }


def _params(
    facts: Mapping[str, object], resources: Resources, timeout_seconds: int
) -> dict[str, Param]:
    """Return the attempt's facts as message parameters. Facts from the worker are untrusted."""
    step, number, code = facts.get("step"), facts.get("signal"), facts.get("exit_code")
    memory = resources["limits"]["memory_bytes"]
    signal = _whole(number)
    return {
        "step": _text(step) if isinstance(step, str) else "",
        "exit_code": _text(code) if isinstance(code, str) else _whole(code),
        "signal": signal,
        "meaning": "a signal" if signal is None else _SIGNALS.get(signal, "a signal"),
        "peak_bytes": _number(facts.get("peak_bytes")) or None,
        "limit_bytes": _number(facts.get("limit_bytes")) or memory,
        "more_bytes": 2 * memory,
        "more": format_memory(2 * memory),
        "most_bytes": 4 * memory,
        "most": format_memory(4 * memory),
        "timeout_seconds": timeout_seconds,
        "more_seconds": 2 * timeout_seconds,
    }


def _text(value: str) -> str:
    """Return a worker's text, cut to TEXT_MAX and without NUL, which PostgreSQL cannot store."""
    return value[:TEXT_MAX].replace("\x00", "\N{REPLACEMENT CHARACTER}")


def _whole(value: object) -> int | None:
    """Return a worker's integer; None for anything else, and if it is out of bounds."""
    return value if isinstance(value, int) and abs(value) < NUMBER_END else None


def _number(value: object) -> float:
    """Return a worker's number; 0 for anything else, and if it is out of bounds."""
    return float(value) if isinstance(value, int | float) and abs(value) < NUMBER_END else 0.0
