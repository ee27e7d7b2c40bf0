"""Last lines of a log, shown beside the reason of a failure."""

import re

from mimir.frontend import formatting
from mimir.frontend.api_client import Api, checked
from mimir.frontend.pages.shell import job_path
from mimir.frontend.template_context import Context

TAIL_BYTES = 8192
TAIL_LINES = 5
LINE_CHARS_MAX = 300
_STORED = re.compile(r"\S+ (stdout|stderr) [FP] ?(.*)", re.DOTALL)
_ESCAPE = re.compile("\x1b(\\[[0-?]*[ -/]*[@-~]|\\][^\x07\x1b]*(\x07|\x1b\\\\)?|.)")


def log_tail(client: Api, job_id: str, attempt: int) -> Context:
    """Fetch the last lines of an attempt's log: {"lines": [{"number", "text", "stderr"}]}."""
    params: dict[str, int] = {"attempt": attempt, "offset": -TAIL_BYTES, "limit": TAIL_BYTES}
    found = checked(client.request_raw("GET", job_path(job_id, "logs"), params=params))
    whole = found.headers.get("Log-Offset", "0") == "0"
    return {
        "lines": last_lines(found.content, int(found.headers.get("Log-Line", "1")), whole=whole)
    }


def last_lines(stored: bytes, first: int, *, whole: bool) -> list[Context]:
    """Return the last non-blank lines.

    `first` is the number of the first line of `stored`. Unless `whole`, `stored` can begin inside a
    line.
    """
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
    """Return a line as a terminal would finally show it, cut to LINE_CHARS_MAX.

    Escape codes and text overwritten by carriage returns are removed.
    """
    shown = formatting.visible(_ESCAPE.sub("", line).rstrip("\r").rpartition("\r")[2])
    return shown if len(shown) <= LINE_CHARS_MAX else shown[:LINE_CHARS_MAX] + "…"
