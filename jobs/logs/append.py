"""Append to and close a log: one growing stream of CRI lines per attempt.

A byte is stored once or refused. Appending and closing lock the Attempt's row, so an append and a
close never both succeed.
"""

import re
import zlib
from collections.abc import Sequence
from uuid import UUID

from django.conf import settings
from django.db import transaction

from jobs.contract import LOG_CHUNK_BYTES_MAX, LOG_LINE_BYTES_MAX
from jobs.core import feed
from jobs.core.metrics import log_count
from jobs.logs.checksum import stored as hash_stored
from jobs.logs.seal import log_objects_sweep, log_seal, logs_seal
from jobs.logs.store import EMPTY_INDEX, NO_OBJECT
from jobs.models import Attempt, LogChunk
from mimir.lib.clock import rfc3339_nano, utc_now
from mimir.lib.errors import Conflict, Gone, Invalid, NotFound, TooLarge

__all__ = [
    "LogClosed",
    "LogLimitExceeded",
    "WrongOffset",
    "log_append",
    "log_close",
    "log_objects_sweep",
    "log_seal",
    "logs_seal",
]

MARKER_PREFIX = "mimir: "  # starts the text of a line written by the platform
MARKER_DEFAULT = "The log ends early: lines after this one may be missing."
# Any level shrinks logs to a tenth; level 1 takes a quarter of the time of level 6.
_ZLIB_LEVEL = 1
# Format of every stored line. Readers rely on it: every line has a prefix, and no chunk ends inside
# a line.
_LINES = re.compile(rb"(?:[0-9T:.Z+-]{20,40} (?:stdout|stderr) [FP] [^\n]*\n)+")


class WrongOffset(Conflict):
    """The chunk does not start at the stored end. `end` and `detail["end"]` contain that end."""

    code = "wrong_offset"

    def __init__(self, end: int) -> None:
        super().__init__(f"The log ends at {end}. Continue from there.", detail={"end": end})
        self.end = end


class LogClosed(Gone):
    """The log is closed: nothing can be appended."""

    code = "log_closed"

    def __init__(self) -> None:
        super().__init__("The log of this attempt is closed.")


class LogLimitExceeded(TooLarge):
    """The attempt's log has reached its size limit."""

    code = "log_limit_exceeded"

    def __init__(self) -> None:
        super().__init__(
            f"The log of an attempt can have at most {settings.ENV.log_bytes_max} bytes "
            "(LOG_BYTES_MAX)."
        )


def log_append(*, attempt_id: UUID, offset: int, data: bytes) -> int:
    """Append whole CRI lines at byte `offset`; return the new end.

    Locks the Attempt's row only and publishes a hint on commit.

    Raises: WrongOffset unless `offset` is the stored end; LogClosed; LogLimitExceeded; Invalid;
    TooLarge; NotFound.
    """
    _check(data)
    compressed = zlib.compress(data, _ZLIB_LEVEL)  # outside the lock
    lines = data.count(b"\n")
    with transaction.atomic():
        attempt = _locked(attempt_id)
        if attempt.log_closed_at is not None:
            raise LogClosed
        if offset != attempt.log_end:
            raise WrongOffset(attempt.log_end)
        end = offset + len(data)
        if end > settings.ENV.log_bytes_max:
            raise LogLimitExceeded
        _store(attempt, data, compressed, lines)
    return end


def log_close(
    *, attempt: Attempt, complete: bool, marker: str | None, fields: Sequence[str] = ()
) -> None:
    """Close a log: its end is then final. Idempotent.

    The caller has locked `attempt` in its transaction. An incomplete log gets a last line that says
    so: `marker` or a default sentence. An empty log is sealed at once: it needs no object.
    `fields`: changed columns of the attempt to save as well.
    """
    if attempt.log_closed_at is not None:
        if fields:
            attempt.save(update_fields=fields)
        return
    if not complete:
        data = _marker_line(marker or MARKER_DEFAULT)
        _store(attempt, data, zlib.compress(data, _ZLIB_LEVEL), 1)
    attempt.log_closed_at = utc_now()
    attempt.log_complete = complete
    changed = ["log_closed_at", "log_complete", *fields]
    if not attempt.log_end:
        attempt.log_object, attempt.log_index = NO_OBJECT, EMPTY_INDEX
        changed += ["log_object", "log_index"]
    attempt.save(update_fields=changed)
    log_count(attempt=attempt)
    feed.publish_log(job_id=attempt.job_id)


def _check(data: bytes) -> None:
    if len(data) > LOG_CHUNK_BYTES_MAX:
        raise TooLarge(f"A request can carry at most {LOG_CHUNK_BYTES_MAX} bytes of log.")
    if not data:
        raise Invalid("The request contains no log bytes.")
    if _LINES.fullmatch(data) is None:
        raise Invalid(
            "Log bytes must be whole lines: <RFC 3339 time> stdout|stderr F|P <text>, each with "
            "its line end."
        )
    if max(map(len, data.split(b"\n"))) >= LOG_LINE_BYTES_MAX:
        raise Invalid(
            f"A log line can have at most {LOG_LINE_BYTES_MAX} bytes, including its line end."
        )


def _locked(attempt_id: UUID) -> Attempt:
    try:
        return (
            Attempt.objects.select_for_update()
            .only("id", "job_id", "log_end", "log_lines", "log_closed_at")
            .get(id=attempt_id)
        )
    except Attempt.DoesNotExist:
        raise NotFound("The attempt does not exist.") from None


def _store(attempt: Attempt, data: bytes, compressed: bytes, lines: int) -> None:
    """Add a chunk at the end of the locked attempt's log and publish a hint on commit."""
    start = attempt.log_end
    LogChunk.objects.create(
        attempt_id=attempt.id,
        start=start,
        end=start + len(data),
        first_line=attempt.log_lines,
        data=compressed,
    )
    attempt.log_end = start + len(data)
    attempt.log_lines += lines
    attempt.save(update_fields=["log_end", "log_lines"])
    attempt_id = attempt.id
    transaction.on_commit(lambda: hash_stored(attempt_id, start, data), robust=True)
    feed.publish_log(job_id=attempt.job_id)


def _marker_line(text: str) -> bytes:
    """Return a CRI line on stderr; stdout stays exactly what the workload wrote."""
    now = rfc3339_nano(int(utc_now().timestamp() * 1_000_000) * 1000)
    clean = " ".join(text.split())[:1000]
    return f"{now} stderr F {MARKER_PREFIX}{clean}\n".encode()
