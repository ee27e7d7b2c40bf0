"""Exit report that a worker leaves for its launcher. Pure.

The report is the file `exit.json`, or the termination message of the container. It has the cause of
the end if the orchestrator did not receive that. Its text is untrusted: user code runs as the same
user, and the termination message of a container that wrote no report holds its last log lines.
"""

import json
from dataclasses import dataclass

from jobs.contract import FailureReason

MESSAGE_MAX = 2000


@dataclass(frozen=True, slots=True)
class ExitReport:
    """How the worker ended, as it reported itself.

    `reason` is empty if the orchestrator received the report, or the attempt was fenced.
    """

    code: int
    reason: str = ""
    message: str = ""
    signal: int | None = None
    peak_memory_bytes: int | None = None
    log_end: int | None = None


def read_exit_report(text: object) -> ExitReport | None:
    """Return the report in a container's `state.terminated.message`.

    None if it holds something else, such as the last log lines.
    """
    try:
        loaded = json.loads(text) if isinstance(text, str) else None
    except ValueError:
        return None
    if (
        not isinstance(loaded, dict)
        or (code := _whole(loaded.get("code"))) is None
        or "at" not in loaded
    ):
        return None
    given = str(loaded.get("reason") or "")
    reason = given if given in tuple(FailureReason) or not given else str(FailureReason.WORKER_LOST)
    message = str(loaded.get("message") or "").replace("\0", "\N{REPLACEMENT CHARACTER}")[
        :MESSAGE_MAX
    ]
    facts = {name: _whole(loaded.get(name)) for name in ("signal", "peak_memory_bytes", "log_end")}
    return ExitReport(code, reason, message, **facts)


def _whole(value: object) -> int | None:
    """Return a whole number that fits a database column; None for any other value."""
    return (
        value
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63
        else None
    )
