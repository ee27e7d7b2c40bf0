"""How the worker's container ended: out of memory, a signal, an exit code; or why it could not start. Pure.

Exit codes and reasons of the kubelet come first; words of the container are read only where they cannot be the job's own.
"""

import re
import signal as signals

from jobs.contract import FailureReason
from jobs.diagnosis.kubernetes.amounts import MEMORY, Asked, memory_patch, quantity, worded
from jobs.diagnosis.kubernetes.commands import bad_command
from jobs.diagnosis.kubernetes.pods import Container, Pod
from jobs.diagnosis.kubernetes.starting import START_REASONS, start_finding
from jobs.diagnosis.kubernetes.values import AGAIN, Finding, clean
from jobs.diagnosis.termination import read_last_word
from mimir.lib.formatting import memory_text

NOTHING_WRITTEN = "Nothing was written to the project."
NOT_ITS_FAULT = f"Not the job's fault. {NOTHING_WRITTEN}"
_LINES = 3  # of the end of its log
_LINE_MAX = 300
_RUNTIME_LINES = 3  # a container runtime that cannot run a command prints one line or two
_EXEC_FORMAT = re.compile(r"exec format error|cannot execute binary file", re.I)
_COMMAND_CODES = frozenset({126, 127})  # a shell's: not executable, not found
# Sent to a process by something else. A process does not send these to itself, and its children cannot send them to process 1.
OUTSIDE = frozenset({1, 2, 3, 9, 15})
_SIGNALS = {
    6: "it aborted itself",
    7: "a bus error",
    8: "an arithmetic error",
    11: "a segmentation fault",
}


def container_finding(pod: Pod, asked: Asked, *, claimed: bool) -> Finding | None:
    """Why the worker's container ended without success, or never started; None for exit code 0 of a worker that had claimed its job."""
    own = pod.worker()
    if own is None or own.kind != "terminated":
        failed = pod.init()
        if failed is not None and failed.kind == "terminated":
            return init_failed(failed, ended=True)
        return _without_container(pod, asked)
    raw = raw_of(own)
    if own.reason == "OOMKilled":
        return _out_of_memory(own, asked, raw)
    if own.reason in START_REASONS:
        return start_finding(own.reason, own.message, asked, own.image)
    if own.reason == "ContainerStatusUnknown":
        return status_unknown(raw, pod.node)
    if own.exit_code and _is_exec_format(own, claimed=claimed):
        return bad_command(own.message, raw, asked, own.image)
    number = signal_of(own)
    if number in OUTSIDE:
        return _killed(number, own, raw, pod.node)
    if not claimed:
        return _before_claim(own, asked, raw)
    if number:
        return _crashed(number, own, raw)
    return exit_finding(own.exit_code, raw, last_lines(own.message)) if own.exit_code else None


def _is_exec_format(own: Container, *, claimed: bool) -> bool:
    """Whether the container runtime, and not the job, says that the command is made for another architecture."""
    lines = [line for line in own.message.splitlines() if line.strip()]
    return bool(lines and _EXEC_FORMAT.search(lines[-1])) and (
        not claimed or len(lines) <= _RUNTIME_LINES
    )


def _without_container(pod: Pod, asked: Asked) -> Finding:
    """A failed pod of which no container says how it ended: its own words, whatever they are."""
    own = pod.worker()
    raw = ": ".join(part for part in (pod.reason, pod.message) if part)
    if own is not None and own.kind == "waiting" and own.reason in START_REASONS:
        return start_finding(own.reason, own.message, asked, own.image)
    return Finding(
        FailureReason.WORKER_LOST,
        f"The worker's pod failed: {raw}."
        if raw
        else "The worker's pod failed, and the cluster does not say why.",
        f"{NOT_ITS_FAULT} An administrator should look at what the cluster says.",
        raw or f"phase {pod.phase or 'unknown'}",
        (AGAIN, "Look at the node"),
        facts={"node": pod.node},
    )


def init_failed(container: Container, *, ended: bool) -> Finding:
    """An init container, which something in the cluster added to the worker's pod, failed: the worker's own container never started."""
    lines = last_lines(container.message)
    code = f"exit code {container.exit_code}" if container.exit_code is not None else "no exit code"
    how = (
        f"{container.reason}, {code}"
        if container.reason not in ("", "Error", "Completed")
        else code
    )
    words = f": {lines}" if lines else ""
    subject = (
        "Preparing the worker failed in" if ended else "Waiting: preparing the worker fails in"
    )
    return Finding(
        FailureReason.INIT_FAILED,
        f'{subject} the init container "{container.name}" ({how}){words}.',
        "The job itself never ran: the worker's own container starts only after this one. Not the job's fault. Workers have no init containers of"
        " their own: something in the cluster added it. An administrator should look at its log.",
        f"{container.name}: {raw_of(container)}",
        (AGAIN, f'Look at the init container "{container.name}"'),
        facts={
            "container": container.name,
            "exit_code": container.exit_code,
            "image": container.image,
        },
    )


def status_unknown(raw: str, node: str) -> Finding:
    """The node lost track of the container."""
    return Finding(
        FailureReason.NODE_LOST,
        f"Its node{f' {node}' if node else ''} was lost: it stopped answering, or restarted, and does not know how the worker ended.",
        f"{NOT_ITS_FAULT} An administrator should look at the node. The log may lack its last lines.",
        raw,
        (AGAIN, "Look at the node"),
        facts={"node": node},
    )


def raw_of(container: Container) -> str:
    """The cluster's own reason, exit code and message."""
    code = f"exit code {container.exit_code}" if container.exit_code is not None else ""
    return ", ".join(part for part in (container.reason, code) if part) + (
        f": {container.message}" if container.message else ""
    )


def _out_of_memory(container: Container, asked: Asked, raw: str) -> Finding:
    limit = container.memory_limit or asked.limits.get(MEMORY, "")
    size = quantity(limit)
    told = (
        f"Its limit is {worded(MEMORY, limit).removesuffix(' of memory')}."
        if size
        else "It used more than its limit."
    )
    more = memory_patch(size) if size else ""
    step = (
        {
            "label": f"Run again with {memory_text(2 * size)}",
            "patch": {"resources": {"memory": more}},
        }
        if more
        else "Ask for more memory"
    )
    return Finding(
        FailureReason.OUT_OF_MEMORY,
        f"Ran out of memory. {told}",
        f"The kernel killed it (OOMKilled, exit code {container.exit_code}). Ask for more memory, or read less at once. {NOTHING_WRITTEN}",
        raw,
        (step, "Read fewer rows or columns"),
        facts={"exit_code": container.exit_code, "limit_bytes": round(size) or None},
    )


def signal_of(container: Container) -> int:
    """The signal that ended it; 0 for none."""
    if container.signal:
        return container.signal
    code = container.exit_code or 0
    return code - 128 if 128 < code <= 128 + 64 else 0


def _signal_name(number: int) -> str:
    try:
        return f" ({signals.Signals(number).name})"
    except ValueError:
        return ""


def _killed(number: int, container: Container, raw: str, node: str) -> Finding:
    """By something outside of it: not counted against the user."""
    verb = "killed" if number == 9 else "stopped"
    reason = container.reason or "no reason"
    lines = last_lines(container.message)
    return Finding(
        FailureReason.WORKER_LOST,
        f"The worker was {verb} by signal {number}{_signal_name(number)}, exit code {container.exit_code}: from outside, and not by its memory"
        f" limit (reason {reason}, not OOMKilled).",
        f"Someone or something on the node{f' {node}' if node else ''} did this: the node's own shortage of memory, its container runtime, or a"
        f" person. {NOT_ITS_FAULT} Run again; if it happens again, an administrator should look at the node."
        f"{f' Its last lines: {lines}' if lines else ''}",
        raw,
        (AGAIN, "Look at the node"),
        facts={"exit_code": container.exit_code, "signal": number, "node": node},
    )


def _crashed(number: int, container: Container, raw: str) -> Finding:
    """By a fault of its own native code."""
    lines = last_lines(container.message)
    return Finding(
        FailureReason.SIGNAL,
        f"The worker was ended by signal {number}{_signal_name(number)}: {_SIGNALS.get(number, 'a signal')}.",
        f"Native code of the command or of a library it uses did this, not Mimir. {NOTHING_WRITTEN}{f' Its last lines: {lines}' if lines else ''}",
        raw,
        ("Change and run again", AGAIN),
        facts={"exit_code": container.exit_code, "signal": number},
    )


def _before_claim(container: Container, asked: Asked, raw: str) -> Finding:
    """The image ran, and the worker in it did not take the job: never the user's fault."""
    if read_last_word(container.message) is not None:
        return _claimed_elsewhere(container)
    image, code = container.image or asked.image or "of the worker", container.exit_code
    lines = last_lines(container.message)
    words = f": {lines}" if lines else ""
    facts = {"exit_code": code, "image": image, "signal": signal_of(container) or None}
    if not code or code in _COMMAND_CODES:
        return Finding(
            FailureReason.BAD_COMMAND,
            f"The image {image} ended with exit code {code or 0} and did not take the job{words}.",
            "It is not an image of Mimir's worker, or its command is another one. The job itself never ran. An administrator has to correct"
            " WORKER_IMAGE: retrying does not help.",
            raw,
            ("Correct the image (WORKER_IMAGE)",),
            facts=facts,
        )
    return Finding(
        FailureReason.LAUNCH_FAILED,
        f"The worker ended with exit code {code} before it took the job (image {image}){words}.",
        "The job itself never ran: not the job's fault. If it happens again, an administrator should look at the worker's image"
        " (WORKER_IMAGE) and at its last lines.",
        raw,
        (AGAIN, "Look at the worker's image (WORKER_IMAGE)"),
        facts=facts,
    )


def _claimed_elsewhere(container: Container) -> Finding:
    """It left the last word of a worker that had claimed: a database restored from a backup does not know of the claim."""
    return Finding(
        FailureReason.WORKER_LOST,
        "Its worker ended, and this database does not know that it took the job.",
        f"The database may have been restored from a backup. {NOT_ITS_FAULT}",
        ", ".join(part for part in (container.reason, f"exit code {container.exit_code}") if part),
        (AGAIN,),
        facts={"exit_code": container.exit_code},
    )


def exit_finding(code: int | None, raw: str, lines: str = "") -> Finding:
    """It ended by itself, with a code that is not 0."""
    return Finding(
        FailureReason.EXIT_CODE,
        f"The worker ended with exit code {code}{f': {lines}' if lines else ''}.",
        f"Look at the log, correct the input or the definition, and run again. {NOTHING_WRITTEN}",
        raw,
        ("Change and run again", AGAIN),
        facts={"exit_code": code},
    )


def last_lines(message: str) -> str:
    """The end of the log that the cluster kept, in one line."""
    lines = [clean(line, _LINE_MAX) for line in message.splitlines() if line.strip()]
    return " / ".join(lines[-_LINES:]).rstrip(".")
