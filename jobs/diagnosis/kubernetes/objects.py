"""Tolerant reading of Kubernetes objects. Pure.

An object is JSON of the API server or of a row. It may lack any field, and any field may have
another type, so it is read with these functions only.
"""

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Object = Mapping[str, object]
TEXT_MAX = 4096  # limit of the kubelet for a termination message


def mapping(value: object) -> Object:
    """Return `value` if it is a mapping, else an empty one."""
    # Parsed JSON is a dict; checking that first takes a third of the time.
    return value if isinstance(value, (dict, Mapping)) else {}


def items(value: object) -> list[Object]:
    """Return the mappings of a list; empty if it is not a list."""
    if isinstance(value, str | bytes) or not isinstance(value, Sequence):
        return []
    return [each for each in value if isinstance(each, (dict, Mapping))]


def text(value: object) -> str:
    """Return a string, truncated and storable in the database; empty for any other type."""
    return limited(value) if isinstance(value, str) else ""


def limited(value: str) -> str:
    """Return a text truncated to TEXT_MAX characters, without NUL and lone surrogates.

    The text can contain output of a worker, and the database refuses those characters. Unlike
    `json_values.storable` this never makes a text longer: a text that was reduced stays the same.
    """
    if value.isascii() and len(value) <= TEXT_MAX and "\x00" not in value:
        return value  # nearly all texts
    return value[:TEXT_MAX].replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def whole(value: object) -> int | None:
    """Return an integer; None for any other type."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def at(source: object, *path: str) -> Object:
    """Return the mapping at `path`; empty if there is none."""
    for name in path:
        source = mapping(source).get(name)
    return mapping(source)


def instant(value: object) -> float:
    """Return a Kubernetes time as seconds since 1970; 0 if there is none."""
    try:
        found = dt.datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return 0.0
    if found is None:
        return 0.0
    return (found if found.tzinfo else found.replace(tzinfo=dt.UTC)).timestamp()


@dataclass(frozen=True, slots=True)
class Event:
    """Event of the cluster, at its latest occurrence."""

    kind: str
    name: str
    uid: str
    reason: str
    message: str
    at: float
    order: int
    container: str = ""  # container of the pod that it is about; empty: the pod itself
    reporter: str = ""  # the reporting component, for example `default-scheduler`


_FIELD = re.compile(r"spec\.(?:init|ephemeral)?containers\{([^}]{1,253})\}", re.I)


def read_events(events: object) -> list[Event]:
    """Return events, the oldest first.

    Most times have a resolution of one second. Events of the same second are ordered by resource
    version.
    """
    found = [_event(each) for each in items(events)]
    return sorted(found, key=lambda event: (int(event.at), event.order, event.at))


def _event(source: Object) -> Event:
    about, meta = at(source, "involvedObject"), at(source, "metadata")
    times = (
        at(source, "series").get("lastObservedTime"),
        source.get("lastTimestamp"),
        source.get("eventTime"),
        source.get("firstTimestamp"),
        meta.get("creationTimestamp"),
    )
    version = text(meta.get("resourceVersion"))
    field = _FIELD.fullmatch(text(about.get("fieldPath")))
    return Event(
        kind=text(about.get("kind")),
        name=text(about.get("name")),
        uid=text(about.get("uid")),
        reason=text(source.get("reason")),
        message=text(source.get("message")),
        at=max(map(instant, times)),
        order=int(version) if version.isascii() and version.isdigit() else 0,
        container=field[1] if field else "",
        reporter=text(source.get("reportingComponent"))
        or text(at(source, "source").get("component")),
    )
