"""Template tags and filters of every page; `mimir.settings.frontend` makes them known to all templates."""

import datetime as dt
import json
from typing import Any

from django.template import Library
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString

from mimir.frontend import formatting
from mimir.lib.clock import utc_now

register = Library()

STATUS_LABELS = {
    "queued": "Waiting",
    "launching": "Starting",
    "running": "Running",
    "cancelling": "Cancelling",
    "succeeded": "Succeeded",
    "failed": "Failed",
    "cancelled": "Cancelled",
    "skipped": "Skipped",
    "retrying": "Retrying",
}

FORMATS = {
    "csv": "CSV",
    "jsonl": "JSON lines",
    "parquet": "Parquet",
    "json": "JSON",
    "arrow": "Arrow",
    "excel": "Excel",
}


@register.simple_tag
def icon(name: str, kind: str = "") -> SafeString:
    """An icon of the sprite. It is hidden from readers: a word stands beside it, or its button has a name."""
    return format_html(
        '<svg class="i {}" aria-hidden="true"><use href="{}#{}"/></svg>',
        kind,
        static("img/icons.svg"),
        name,
    )


@register.simple_tag
def node_icon(name: str) -> SafeString:
    """An icon inside a drawing: its place and size are attributes there."""
    return format_html(
        '<svg class="i" x="11" y="8" width="15" height="15" aria-hidden="true"><use href="{}#{}"/></svg>',
        static("img/icons.svg"),
        name,
    )


@register.simple_tag
def status(value: str, kind: str = "pill", word: str = "", shape: str = "") -> SafeString:
    """A status three ways: shape, word and colour. `shape` is another status's look, as a job that tries again has it."""
    return format_html(
        '<span class="st st-{} {}" data-status="{}">{}<span>{}</span></span>',
        shape or value,
        kind,
        value,
        icon(shape or value),
        word or STATUS_LABELS.get(value, value),
    )


@register.filter
def when(value: object) -> SafeString:
    """How long ago, with the exact time on hover. The script keeps it true and turns the title to the reader's time zone."""
    at = formatting.parsed(value)
    if at is None:
        return SafeString("")
    return format_html(
        '<time datetime="{}" data-rel title="{}">{}</time>',
        at.isoformat(),
        _exact(at),
        formatting.ago(at, utc_now()),
    )


@register.filter
def clock(value: object) -> SafeString:
    """The time of day with milliseconds; the script turns it to the reader's time zone."""
    at = formatting.parsed(value)
    if at is None:
        return SafeString("")
    shown = f"{at:%H:%M:%S}.{at.microsecond // 1000:03d}"
    return format_html(
        '<time datetime="{}" data-clock title="{}">{}</time>', at.isoformat(), _exact(at), shown
    )


@register.filter
def clock_seconds(value: object) -> SafeString:
    """The time of day without parts of a second."""
    at = formatting.parsed(value)
    if at is None:
        return SafeString("")
    return format_html(
        '<time datetime="{}" data-clock="seconds" title="{}">{}</time>',
        at.isoformat(),
        _exact(at),
        f"{at:%H:%M:%S}",
    )


def _exact(at: dt.datetime) -> str:
    return f"{at.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S} UTC"


@register.filter
def size(value: object) -> str:
    """Bytes."""
    return formatting.size(value)


@register.filter
def memory(value: object) -> str:
    """Bytes of memory."""
    return formatting.memory(value)


@register.filter
def limit(value: object) -> str:
    """A Kubernetes quantity of memory."""
    return formatting.limit(value)


@register.filter
def file_format(value: object) -> str:
    """What a dataset is stored as."""
    return FORMATS.get(str(value), str(value))


@register.filter
def span(value: object) -> str:
    """Seconds."""
    return formatting.span(value)


@register.filter
def number(value: object) -> str:
    """A count."""
    return formatting.number(value)


@register.filter
def visible(value: object) -> str:
    """Foreign text."""
    return formatting.visible(value)


@register.filter
def short(value: object) -> str:
    """The end of an id."""
    return formatting.short_id(value)


@register.filter
def ordinal(value: int) -> str:
    """1st, 2nd."""
    return formatting.ordinal(value)


@register.filter
def pretty(value: Any) -> str:
    """JSON over several lines."""
    return formatting.visible(json.dumps(value, indent=2, ensure_ascii=False))


@register.filter
def plural(value: object, nouns: str) -> str:
    """`3|plural:"row,rows"`: the number with its noun."""
    one, _, many = nouns.partition(",")
    return f"{formatting.number(value)} {one if value == 1 else many}"
