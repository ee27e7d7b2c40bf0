"""Line that says when a job would start, changes that start it sooner, and memory slider. Pure."""

import json
import math
from collections.abc import Mapping
from typing import Any, TypedDict

from mimir.frontend import formatting, schema_form
from mimir.frontend.api_client import ApiError
from mimir.frontend.api_types.job_shapes import Alternative, Start
from mimir.frontend.job_types import job_types
from mimir.frontend.schema_form import Texts

_MIB = 2**20
SLIDER_MIN, SLIDER_MAX = 6, 17  # 64 MiB to 128 GiB, as powers of two in MiB


class StartOption(TypedDict):
    """Button that changes the request. `patch`: JSON; `field`: the field that it fills."""

    label: str
    patch: str
    field: str
    detail: str


class Unexplained(TypedDict):
    """Valid request without a start estimate. `retry_seconds` 0: the API cannot explain starts."""

    retry_seconds: int


class StartLine(TypedDict):
    """State of the line (`now`, `waits`, `never` or `unknown`), its text, and the buttons.

    An empty text hides the line. `retry_seconds`: delay until the page requests it again; 0: never.
    `note`: about retries with more memory.
    """

    state: str
    text: str
    estimate: str
    note: str
    options: list[StartOption]
    retry_seconds: int


class MemorySlider(TypedDict):
    """Slider position (`value`), as a power of two in MiB, and its text.

    `low`, `high`: range; `default`: position while the memory field is empty.
    """

    low: int
    high: int
    value: int
    default: int
    text: str


def start_line(found: Mapping[str, Any]) -> StartLine:
    """Present when the job of a dry run would start.

    Without an answer, `lacks`: a required field is empty; `invalid`: the request was refused and
    must change. With neither, the request was not checked, and the line is hidden.
    """
    start: Start | None = found.get("answer", {}).get("start")
    if start is None:
        unexplained: Unexplained | None = found.get("unexplained")
        return {
            "state": "unknown",
            "text": _unknown(found),
            "estimate": "",
            "note": "",
            "options": [],
            "retry_seconds": unexplained["retry_seconds"] if unexplained else 0,
        }
    most = start.get("retry_memory_limit")
    seconds = start["estimate_seconds"]
    state = _state(start)
    return {
        "state": state,
        "text": f"Would wait: {start['detail']}" if state == "waits" else start["detail"],
        "estimate": f"About {formatting.about(seconds)}." if seconds else "",
        "note": f"Retries with more than {formatting.limit(most)} fail: no cluster can hold them."
        if most
        else "",
        "options": [_option(each) for each in start["alternatives"]],
        "retry_seconds": 0,
    }


def unexplained_after(error: ApiError) -> Unexplained | None:
    """Return an answer without a start if the request can be valid; None for other errors.

    During an update, the previous release of the orchestrator does not support `explain`.
    """
    if error.code == "explanations_busy":
        return {"retry_seconds": max(1, round(error.retry_after or 1))}
    if error.status == 400 and "explain" in error.detail:
        return {"retry_seconds": 0}
    return None


def _unknown(found: Mapping[str, Any]) -> str:
    unexplained: Unexplained | None = found.get("unexplained")
    if unexplained is not None:
        return "Waiting for the forecast of its start." if unexplained["retry_seconds"] else ""
    if found.get("lacks"):
        return "Fill in the required fields to see when it would start."
    return "Fix the request to see when it would start." if found.get("invalid") else ""


def _state(start: Start) -> str:
    if start["starts_now"]:
        return "now"
    return "never" if start["blocked_by"] == "never_fits" else "waits"


def _option(alternative: Alternative) -> StartOption:
    seconds = alternative["estimate_seconds"]
    if seconds is None:
        when = "start time unknown"
    else:
        when = f"in about {formatting.about(seconds)}" if seconds else "starts now"
    field, change = _change(alternative["request"])
    return {
        "label": f"{change}: {when}",
        "patch": json.dumps(alternative["request"]),
        "field": field,
        "detail": alternative["detail"],
    }


def _change(patch: Mapping[str, Any]) -> tuple[str, str]:
    """Return the first field that a patch changes, and the new values in words."""
    resources = patch.get("resources", {})
    amounts = {
        "memory": lambda: formatting.limit(resources["memory"]),
        "cpu": lambda: f"{resources['cpu']} CPU",
        "gpu": lambda: _gpus(resources["gpu"]),
    }
    changed = [name for name in amounts if name in resources]
    if changed:
        return f"resources.{changed[0]}", ", ".join(amounts[name]() for name in changed)
    if "priority" in patch:
        return "priority", f"{str(patch['priority']).capitalize()} priority"
    return "cluster", "Any cluster"


def _gpus(count: int) -> str:
    return f"{count} GPU{'s' * (count > 1)}" if count else "No GPU"


def memory_slider(job_type: str, texts: Texts) -> MemorySlider:
    """Return the slider's position for the typed memory, or for the default of the type."""
    known = job_types.all().get(job_type)
    default = _power(known.memory if known else "") or SLIDER_MIN
    typed = _power(schema_form.given(texts, "resources.memory"))
    value = default if typed is None else typed
    return {
        "low": SLIDER_MIN,
        "high": SLIDER_MAX,
        "value": value,
        "default": default,
        "text": formatting.memory(2**value * _MIB),
    }


def _power(text: str) -> int | None:
    """Return the nearest position of the slider for an amount of memory; None for other text."""
    size_bytes = formatting.quantity(text.strip())
    if not size_bytes:
        return None
    return min(SLIDER_MAX, max(SLIDER_MIN, round(math.log2(size_bytes / _MIB))))
