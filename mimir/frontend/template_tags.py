"""Template tags and filters; `mimir.settings.frontend` makes them available in every template."""

import datetime as dt

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
    "jsonl": "JSON Lines",
    "parquet": "Parquet",
    "json": "JSON",
    "arrow": "Arrow",
    "excel": "Excel",
}


@register.simple_tag
def icon(name: str, kind: str = "") -> SafeString:
    """Render an icon of the sprite, hidden from screen readers: a label must stand beside it."""
    return format_html(
        '<svg class="i {}" aria-hidden="true"><use href="{}#{}"/></svg>',
        kind,
        static("img/icons.svg"),
        name,
    )


@register.simple_tag
def node_icon(name: str) -> SafeString:
    """Render an icon inside an SVG drawing, with its position as attributes."""
    return format_html(
        '<svg class="i" x="11" y="8" width="15" height="15" aria-hidden="true"><use '
        'href="{}#{}"/></svg>',
        static("img/icons.svg"),
        name,
    )


@register.simple_tag
def status(value: str, kind: str = "pill", word: str = "", shape: str = "") -> SafeString:
    """Render a status as icon, label and colour.

    `shape` is the status whose icon and colour are used, such as `retrying` for a queued job.
    """
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
    """Render a relative time with the exact time on hover.

    `static/js/time.js` updates it and shows the reader's time zone.
    """
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
    """Render the time of day with milliseconds.

    The script converts it to the reader's time zone.
    """
    at = formatting.parsed(value)
    if at is None:
        return SafeString("")
    shown = f"{at:%H:%M:%S}.{at.microsecond // 1000:03d}"
    return format_html(
        '<time datetime="{}" data-clock title="{}">{}</time>', at.isoformat(), _exact(at), shown
    )


@register.filter
def clock_seconds(value: object) -> SafeString:
    """Render the time of day without milliseconds."""
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
    """Format bytes."""
    return formatting.size(value)


@register.filter
def memory(value: object) -> str:
    """Format bytes of memory."""
    return formatting.memory(value)


@register.filter
def cores(value: object) -> str:
    """Format millicores of CPU in cores."""
    return formatting.cores(value)


@register.filter
def limit(value: object) -> str:
    """Format a Kubernetes memory quantity."""
    return formatting.limit(value)


@register.filter
def file_format(value: object) -> str:
    """Label of a storage format."""
    return FORMATS.get(str(value), str(value))


@register.filter
def span(value: object) -> str:
    """Format a duration in seconds."""
    return formatting.span(value)


@register.filter
def number(value: object) -> str:
    """Format a count."""
    return formatting.number(value)


@register.filter
def visible(value: object) -> str:
    """Make invisible characters of user-supplied text visible."""
    return formatting.visible(value)


@register.filter
def short(value: object) -> str:
    """Last characters of an ID."""
    return formatting.short_id(value)


@register.filter
def ordinal(value: int) -> str:
    """Format an ordinal: 1st, 2nd."""
    return formatting.ordinal(value)


@register.filter
def plural(value: object, nouns: str) -> str:
    """Format a count with its noun: `3|plural:"row,rows"`."""
    one, _, many = nouns.partition(",")
    return f"{formatting.number(value)} {one if value == 1 else many}"
