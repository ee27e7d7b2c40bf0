"""Format numbers, sizes, times and user-supplied text for people. Pure."""

import datetime as dt
import re

from django.utils.dateparse import parse_datetime

from mimir.lib.formatting import about_text, duration_text, memory_text
from mimir.lib.json_values import is_number

_UNITS = ("B", "KB", "MB", "GB", "TB", "PB")
_KUBERNETES = {
    "Ki": 2**10,
    "Mi": 2**20,
    "Gi": 2**30,
    "Ti": 2**40,
    "k": 10**3,
    "M": 10**6,
    "G": 10**9,
    "T": 10**12,
    "": 1,
}
# These characters can make text look like other text (spoofing). They are shown by code point.
_HIDDEN = re.compile(
    "[\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def parsed(value: object) -> dt.datetime | None:
    """Parse a time of the API; None for anything else."""
    if not isinstance(value, str):
        return value if isinstance(value, dt.datetime) else None
    try:
        return parse_datetime(value)
    except ValueError:
        return None


def seconds_between(start: object, end: object) -> float | None:
    """Seconds between two times of the API, at least 0; None if one is missing."""
    first, last = parsed(start), parsed(end)
    return max((last - first).total_seconds(), 0.0) if first and last else None


def number(value: object) -> str:
    """Format a count: 1,461, or 14.8 M from ten million."""
    if not is_number(value):
        return ""
    if abs(value) >= 10_000_000:
        return f"{value / 1_000_000:,.1f} M"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.6g}"


def rounded(value: float) -> str:
    """Format a value with six significant digits, or one decimal from a million."""
    if value.is_integer() and abs(value) < 1e15:
        return f"{value:.0f}"
    return f"{value:.1f}" if 1e6 <= abs(value) < 1e15 else f"{value:.6g}"


def size(value: object) -> str:
    """Format bytes in powers of 1000: 84.3 KB."""
    if not is_number(value):
        return ""
    amount = float(value)
    for unit in _UNITS[:-1]:
        if abs(amount) < 999.5:
            return (
                f"{amount:.0f} {unit}" if unit == "B" or amount >= 100 else f"{amount:.3g} {unit}"
            )
        amount /= 1000
    return f"{amount:.3g} {_UNITS[-1]}"


def memory(value: object) -> str:
    """Format memory in binary units, as its limits are written: 84.3 MiB, 4 GiB."""
    return memory_text(value) if is_number(value) else ""


def limit(value: object) -> str:
    """Format a Kubernetes memory quantity: 4Gi is 4 GiB, 2G is 2 GB."""
    size_bytes = quantity(value)
    if size_bytes is None:
        return str(value)
    return memory(size_bytes) if str(value).endswith("i") else size(size_bytes)


def cores(millicores: object) -> str:
    """Format CPU in cores: 1.7, 2, 16."""
    if not is_number(millicores):
        return ""
    return f"{millicores / 1000:.2g}" if millicores < 10_000 else f"{millicores / 1000:.0f}"


def span(value: object) -> str:
    """Format a duration in seconds: 38 ms, 4.2 s, 1 min 06 s, 2 h 05 min, 3 days."""
    return duration_text(value, precise=True) if is_number(value) else ""


def about(value: object) -> str:
    """Format an estimate in seconds with no more precision than it has."""
    return about_text(value) if is_number(value) else ""


def ago(at: dt.datetime, now: dt.datetime) -> str:
    """Format a time relative to `now`: 14 min ago, in 3 h; a date from 7 days on.

    `static/js/time.js` formats the same way as time passes.
    """
    gone = (now - at).total_seconds()
    if abs(gone) >= 7 * 86400:
        return f"{at.day} {at:%b}" + (f" {at.year}" if at.year != now.year else "")
    distance = _distance(abs(gone))
    if distance == "now":
        return distance
    return f"{distance} ago" if gone > 0 else f"in {distance}"


def _distance(seconds: float) -> str:
    if seconds < 1:
        return "now"
    if seconds < 60:
        return f"{int(seconds)} s"
    if seconds < 3600:
        return f"{int(seconds // 60)} min"
    if seconds < 86400:
        return f"{int(seconds // 3600)} h"
    days = int(seconds // 86400)
    return f"{days} day" if days == 1 else f"{days} days"


def quantity(value: object) -> int | None:
    """Bytes of a Kubernetes quantity such as 4Gi; None if it is not one."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([KMGT]i|[kMGT]?)", str(value))
    return round(float(found[1]) * _KUBERNETES[found[2]]) if found else None


def visible(value: object) -> str:
    """Make control, directional and invisible characters visible. Line ends and tabs stay."""
    text = value if isinstance(value, str) else str(value)
    text = _CONTROL.sub(lambda found: _control(ord(found[0])), text)
    return _HIDDEN.sub(lambda found: f"\u27e8U+{ord(found[0]):04X}\u27e9", text)


def _control(code: int) -> str:
    if code < 0x20:
        return chr(0x2400 + code)
    return "\u2421" if code == 0x7F else f"\u27e8U+{code:04X}\u27e9"


def short_id(value: object) -> str:
    """Last 8 characters of an ID. Time-ordered IDs share their first ones."""
    return str(value)[-8:]


def ordinal(value: int) -> str:
    """Format an ordinal: 1st, 2nd, 3rd, 11th."""
    suffix = "th" if 10 <= value % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(value % 10, "th")
    return f"{value:,}{suffix}"
