"""Rules for the end of the worker's container: out of memory, a signal, an exit code. Pure.

Exit codes and the kubelet's reasons come first. The container's own output is read only where it
cannot come from the job.
"""

import re
import signal as signals

from jobs.diagnosis.catalogue import startup
from jobs.diagnosis.catalogue import worker_end as says
from jobs.diagnosis.kubernetes.cause import Cause, clean
from jobs.diagnosis.kubernetes.pods import Container, Pod
from jobs.diagnosis.kubernetes.quantities import MEMORY, quantity, size_text
from jobs.diagnosis.kubernetes.rules_command import bad_command
from jobs.diagnosis.kubernetes.rules_start import START_REASONS, start_cause
from jobs.diagnosis.kubernetes.worker_spec import WorkerSpec, twice
from jobs.diagnosis.message import Param
from jobs.diagnosis.termination import read_exit_report

_LINES = 3  # quoted from the end of the log
_LINE_MAX = 300
_RUNTIME_LINES = 3  # a container runtime that cannot run a command prints one line or two
_EXEC_FORMAT = re.compile(r"exec format error|cannot execute binary file", re.I)
_COMMAND_CODES = frozenset({126, 127})  # of a shell: not executable, not found
_NO_DETAIL = ("", "Error", "Completed")
# A process does not send these to itself, and its children cannot send them to process 1.
OUTSIDE = frozenset({1, 2, 3, 9, 15})
_KILL = 9
_MEANINGS = {
    6: "it aborted itself",
    7: "a bus error",
    8: "an arithmetic error",
    11: "a segmentation fault",
}


def container_cause(pod: Pod, spec: WorkerSpec, *, claimed: bool) -> Cause | None:
    """Return why the worker's container ended without success, or never started.

    None for exit code 0 of a worker that had claimed its job.
    """
    own = pod.worker()
    if own is None or own.kind != "terminated":
        failed = pod.init()
        if failed is not None and failed.kind == "terminated":
            return init_failed(failed, ended=True)
        return _without_container(pod, spec)
    raw = raw_of(own)
    if own.reason == "OOMKilled":
        return _out_of_memory(own, spec, raw)
    if own.reason in START_REASONS:
        return start_cause(own.reason, own.message, spec, own.image)
    if own.reason == "ContainerStatusUnknown":
        return Cause(says.STATUS_UNKNOWN, {"node": pod.node}, raw)
    if own.exit_code and _is_exec_format(own, claimed=claimed):
        return bad_command(own.message, raw, spec, own.image)
    number = signal_of(own)
    if number in OUTSIDE:
        return _killed(number, own, raw, pod.node)
    if not claimed:
        return _before_claim(own, spec, raw)
    if number:
        return _crashed(number, own, raw)
    return exit_cause(own.exit_code, raw, last_lines(own.message)) if own.exit_code else None


def _is_exec_format(own: Container, *, claimed: bool) -> bool:
    """Whether the container runtime, and not the job, reports a wrong architecture."""
    lines = [line for line in own.message.splitlines() if line.strip()]
    return bool(lines and _EXEC_FORMAT.search(lines[-1])) and (
        not claimed or len(lines) <= _RUNTIME_LINES
    )


def _without_container(pod: Pod, spec: WorkerSpec) -> Cause:
    """Return the cause of a failed pod whose containers do not say how they ended."""
    own = pod.worker()
    raw = ": ".join(part for part in (pod.reason, pod.message) if part)
    if own is not None and own.kind == "waiting" and own.reason in START_REASONS:
        return start_cause(own.reason, own.message, spec, own.image)
    if not raw:
        phase = f"phase {pod.phase or 'unknown'}"
        return Cause(says.POD_FAILED_WITHOUT_REASON, {"node": pod.node}, phase)
    return Cause(says.POD_FAILED, {"node": pod.node, "report": raw.rstrip(".")}, raw)


def init_failed(container: Container, *, ended: bool) -> Cause:
    """Return the cause of a failed init container: the worker's own container never started."""
    code = f"exit code {container.exit_code}" if container.exit_code is not None else "no exit code"
    params: dict[str, Param] = {
        "container": container.name,
        "how": code if container.reason in _NO_DETAIL else f"{container.reason}, {code}",
        "last_lines": last_lines(container.message),
        "exit_code": container.exit_code,
        "image": container.image,
    }
    found = startup.INIT_FAILED if ended else startup.INIT_FAILS
    return Cause(found, params, f"{container.name}: {raw_of(container)}")


def raw_of(container: Container) -> str:
    """Return the cluster's own reason, exit code and message."""
    code = f"exit code {container.exit_code}" if container.exit_code is not None else ""
    return ", ".join(part for part in (container.reason, code) if part) + (
        f": {container.message}" if container.message else ""
    )


def _out_of_memory(container: Container, spec: WorkerSpec, raw: str) -> Cause:
    limit = container.memory_limit or spec.limits.get(MEMORY, "")
    size = quantity(limit)
    if not size:
        return Cause(says.OUT_OF_MEMORY_LIMIT_UNKNOWN, {"exit_code": container.exit_code}, raw)
    params: dict[str, Param] = {
        "exit_code": container.exit_code,
        "limit": size_text(MEMORY, limit),
        "limit_bytes": round(size),
        "more": twice(size),
        "more_bytes": 2 * round(size),
    }
    return Cause(says.OUT_OF_MEMORY, params, raw)


def signal_of(container: Container) -> int:
    """Return the signal that ended the container; 0 for none."""
    if container.signal:
        return container.signal
    code = container.exit_code or 0
    return code - 128 if 128 < code <= 128 + 64 else 0


def _signal_name(number: int) -> str:
    try:
        return signals.Signals(number).name
    except ValueError:
        return ""


def _killed(number: int, container: Container, raw: str, node: str) -> Cause:
    """Return the cause of an end by another process: not counted as one of the user's attempts."""
    params: dict[str, Param] = {
        "verb": "killed" if number == _KILL else "stopped",
        "signal": number,
        "signal_name": _signal_name(number),
        "exit_code": container.exit_code,
        "state": container.reason or "no reason",
        "node": node,
        "last_lines": last_lines(container.message),
    }
    return Cause(says.KILLED, params, raw)


def _crashed(number: int, container: Container, raw: str) -> Cause:
    """Return the cause of a crash in the worker's own native code."""
    params: dict[str, Param] = {
        "signal": number,
        "signal_name": _signal_name(number),
        "meaning": _MEANINGS.get(number, "a signal"),
        "exit_code": container.exit_code,
        "last_lines": last_lines(container.message),
    }
    return Cause(says.CRASHED, params, raw)


def _before_claim(container: Container, spec: WorkerSpec, raw: str) -> Cause:
    """Return why a container ended before it claimed the job: never the user's fault."""
    if read_exit_report(container.message) is not None:
        return _claim_unknown(container)
    code = container.exit_code
    params: dict[str, Param] = {
        "image": container.image or spec.image or "of the worker",
        "exit_code": code or 0,
        "signal": signal_of(container) or None,
        "last_lines": last_lines(container.message),
    }
    not_a_worker = not code or code in _COMMAND_CODES
    return Cause(says.NOT_A_WORKER if not_a_worker else says.ENDED_BEFORE_CLAIM, params, raw)


def _claim_unknown(container: Container) -> Cause:
    """Return the cause when an exit report shows a claim that the restored database lacks."""
    code = f"exit code {container.exit_code}"
    raw = ", ".join(part for part in (container.reason, code) if part)
    return Cause(says.CLAIM_UNKNOWN, {"exit_code": container.exit_code}, raw)


def exit_cause(code: int | None, raw: str, lines: str = "") -> Cause:
    """Return the cause of a worker that ended by itself with a code other than 0."""
    return Cause(says.EXIT_CODE, {"exit_code": code, "last_lines": lines}, raw)


def last_lines(message: str) -> str:
    """Return the end of the log that the cluster kept, as one line."""
    lines = [clean(line, _LINE_MAX) for line in message.splitlines() if line.strip()]
    return " / ".join(lines[-_LINES:]).rstrip(".")
