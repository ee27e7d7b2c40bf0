"""What a worker leaves for its launcher where it could not tell the orchestrator: `exit.json`, or its container's last word.

Pure. The words are untrusted: user code runs as the same user, and a container that printed instead has its last lines in the same place.
"""

import json
from dataclasses import dataclass

from jobs.contract import FailureReason

MESSAGE_MAX = 2000


@dataclass(frozen=True, slots=True)
class LastWord:
    """How the worker ended by its own account. `reason` is empty where the orchestrator was told, or the attempt was fenced."""

    code: int
    reason: str = ""
    message: str = ""
    signal: int | None = None
    peak_memory_bytes: int | None = None
    log_end: int | None = None


def read_last_word(text: object) -> LastWord | None:
    """The last word in a container's `state.terminated.message`; None where something else stands there, as its last lines of log."""
    try:
        said = json.loads(text) if isinstance(text, str) else None
    except ValueError:
        return None
    if not isinstance(said, dict) or (code := _whole(said.get("code"))) is None or "at" not in said:
        return None
    given = str(said.get("reason") or "")
    reason = given if given in tuple(FailureReason) or not given else str(FailureReason.WORKER_LOST)
    message = str(said.get("message") or "").replace("\0", "\N{REPLACEMENT CHARACTER}")[
        :MESSAGE_MAX
    ]
    facts = {name: _whole(said.get(name)) for name in ("signal", "peak_memory_bytes", "log_end")}
    return LastWord(code, reason, message, **facts)


def _whole(value: object) -> int | None:
    """A whole number that a database column holds."""
    return (
        value
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63
        else None
    )
