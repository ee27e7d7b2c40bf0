"""Log lines of one step: those between two times, found by binary search in the stored log."""

import datetime as dt
import re

from mimir.frontend import formatting
from mimir.frontend.api_client import Api, checked
from mimir.frontend.pages.job.log_tail import plain
from mimir.frontend.pages.shell import job_path
from mimir.frontend.template_context import Context

PROBE_BYTES = 4096  # read to find a line's time
NEAR_BYTES = 16 * 1024  # the binary search ends at a range of this size
WINDOW_BYTES = 128 * 1024
LINES_MAX = 100
GRACE = dt.timedelta(
    milliseconds=5
)  # a line's time is taken when it is read, just after it was written
_STORED = re.compile(rb"(\S+) (stdout|stderr) [FP] ?(.*)", re.DOTALL)


def lines_between(job_id: str, attempt: int, start: str, end: str | None, client: Api) -> Context:
    """Return the first lines from `start` to `end`: {"lines": [...], "more"}.

    Each line is {"number", "text", "stderr"}.
    """
    first, last = formatting.parsed(start), formatting.parsed(end)
    if first is None:
        return {"lines": [], "more": False}
    low, high = 0, _end(client, job_id, attempt)
    while high - low > NEAR_BYTES:
        middle = (low + high) // 2
        at = _first_time(_read(client, job_id, attempt, middle, PROBE_BYTES)[0])
        if at is None or at >= first:
            high = middle
        else:
            low = middle
    stored, number = _read(client, job_id, attempt, low, WINDOW_BYTES)
    return _within(stored, number, whole=low == 0, first=first, last=last + GRACE if last else None)


def _within(
    stored: bytes, number: int, *, whole: bool, first: dt.datetime, last: dt.datetime | None
) -> Context:
    rows: list[Context] = []
    lines = stored.split(b"\n")
    for index, line in enumerate(lines):
        found = _STORED.fullmatch(line) if index or whole else None
        at = _time(found[1]) if found else None
        if found is None or at is None or at < first:
            continue
        if last is not None and at > last:
            return {"lines": rows, "more": False}
        if len(rows) == LINES_MAX:
            return {"lines": rows, "more": True}
        rows.append(
            {
                "number": number + index,
                "text": plain(found[3].decode(errors="replace")),
                "stderr": found[2] == b"stderr",
            }
        )
    return {"lines": rows, "more": len(stored) >= WINDOW_BYTES}


def _end(client: Api, job_id: str, attempt: int) -> int:
    answer = checked(
        client.request_raw(
            "GET", job_path(job_id, "logs"), params={"attempt": attempt, "offset": 0, "limit": 0}
        )
    )
    return int(answer.headers.get("Log-End", "0"))


def _read(client: Api, job_id: str, attempt: int, offset: int, limit: int) -> tuple[bytes, int]:
    answer = checked(
        client.request_raw(
            "GET",
            job_path(job_id, "logs"),
            params={"attempt": attempt, "offset": offset, "limit": limit},
        )
    )
    return answer.content, int(answer.headers.get("Log-Line", "1"))


def _first_time(stored: bytes) -> dt.datetime | None:
    """Time of the first line that begins in `stored`; None without one."""
    for line in stored.split(b"\n")[1:]:
        found = _time(line.partition(b" ")[0])
        if found is not None:
            return found
    return None


def _time(stamp: bytes) -> dt.datetime | None:
    """Parse the time of a line: RFC 3339 with nanoseconds, UTC."""
    found = re.fullmatch(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z", stamp)
    if found is None:
        return None
    try:
        at = dt.datetime.fromisoformat(found[1].decode()).replace(tzinfo=dt.UTC)
    except ValueError:
        return None
    return at.replace(microsecond=int((found[2] or b"0").ljust(9, b"0")[:6]))
