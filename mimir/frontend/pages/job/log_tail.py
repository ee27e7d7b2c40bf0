"""The last lines of a log, as evidence beside the reason why a job failed."""

import re
from typing import Any

from mimir.frontend import formatting
from mimir.frontend.client import Api, checked
from mimir.frontend.pages.shell import job_path

TAIL_BYTES = 8192
TAIL_LINES = 5
LINE_CHARS_MAX = 300
_STORED = re.compile(r"\S+ (stdout|stderr) [FP] ?(.*)", re.DOTALL)
_ESCAPE = re.compile("\x1b(\\[[0-?]*[ -/]*[@-~]|\\][^\x07\x1b]*(\x07|\x1b\\\\)?|.)")


def log_tail(client: Api, job_id: str, attempt: int) -> dict[str, Any]:
    """{"lines": the last lines of an attempt's log as {"number", "text", "stderr"}}."""
    params: dict[str, int] = {"attempt": attempt, "offset": -TAIL_BYTES, "limit": TAIL_BYTES}
    found = checked(client.request_raw("GET", job_path(job_id, "logs"), params=params))
    whole = found.headers.get("Log-Offset", "0") == "0"
    return {
        "lines": last_lines(found.content, int(found.headers.get("Log-Line", "1")), whole=whole)
    }


def last_lines(stored: bytes, first: int, *, whole: bool) -> list[dict[str, Any]]:
    """The last lines that say something. `first`: the number of the first line of `stored`; unless `whole`, it may begin inside one."""
    lines = []
    for index, line in enumerate(stored.decode(errors="replace").split("\n")):
        found = _STORED.fullmatch(line) if index or whole else None
        if found is None:
            continue
        shown = plain(found[2])
        if shown.strip():
            lines.append({"number": first + index, "text": shown, "stderr": found[1] == "stderr"})
    return lines[-TAIL_LINES:]


def plain(line: str) -> str:
    """A line's last state: without escapes, what a carriage return overwrote left out, what would not be seen shown, cut to size."""
    shown = formatting.visible(_ESCAPE.sub("", line).rstrip("\r").rpartition("\r")[2])
    return shown if len(shown) <= LINE_CHARS_MAX else shown[:LINE_CHARS_MAX] + "…"
