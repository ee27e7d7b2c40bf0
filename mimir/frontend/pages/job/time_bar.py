"""Time of a job by cause: a stacked bar, its legend and a table. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from mimir.frontend import formatting
from mimir.frontend.api_types.job_shapes import JobTime, TimePhase
from mimir.frontend.template_context import Context

WIDTH, GAP = 340.0, 1.5
SHARE_MIN = 0.01  # smaller parts are merged; if the sum is still smaller, it is not drawn
LEGEND_MAX, TABLE_MAX = 6, 200
_NUMBER_WIDTH = 15.0  # narrower parts have no number


@dataclass(frozen=True, slots=True)
class CauseText:
    """Label of a cause, and the tone of its colour (`f-<tone>`)."""

    label: str
    tone: str


CAUSES = {
    "earlier": CauseText("Earlier, not divided", "wait"),
    "queued": CauseText("Waiting in the queue", "wait"),
    "back_off": CauseText("Retry delay", "warn"),
    "previous_attempt": CauseText("Previous worker stopping", "wait"),
    "launching": CauseText("Creating the worker", "launch"),
    "cluster": CauseText("Delayed by the cluster", "warn"),
    "image_pull": CauseText("Pulling the image", "launch"),
    "starting": CauseText("Starting the worker", "launch"),
    "preparing": CauseText("Preparing the work", "ready"),
    "step": CauseText("Step", "run"),
    "running": CauseText("Running", "run"),
    "saving": CauseText("Saving results", "ok"),
    "finishing": CauseText("Sending the log and the report", "ok"),
    "storage": CauseText("Waiting for the artifact storage", "warn"),
    "silent": CauseText("No heartbeat from the worker", "failed"),
    "worker_ended": CauseText("Worker ended, waiting for the cause", "warn"),
    "cancelling": CauseText("Cancelling", "warn"),
}
STAGES = {
    "importing": "Importing libraries",
    "reading": "Reading inputs",
    "training": "Training",
    "evaluating": "Evaluating",
    "predicting": "Predicting",
    "comparing": "Comparing rows",
    "saving": "Saving results",
}


@dataclass(slots=True)
class Part:
    """Total of all phases with one cause and one detail."""

    label: str
    tone: str
    seconds: float
    count: int = 1
    share: float = 0.0


@dataclass(frozen=True, slots=True)
class Segment:
    """Part of the bar. `number` refers to the legend; empty if it is not there or too narrow."""

    x: float
    width: float
    tone: str
    number: str
    title: str

    @property
    def middle(self) -> float:
        return round(self.x + self.width / 2, 2)


def time_spent(found: JobTime | None) -> Context | None:
    """Present the time of a job; None if it could not be read or no time has passed.

    Keys: {"parts": table rows, "segments", "legend", "label", "total", "now", "now_since"}.
    """
    if not found or not found["phases"]:
        return None
    parts = _parts(found["phases"])
    drawn = [part for part in _pooled(parts) if part.share >= SHARE_MIN]
    numbered = sorted(drawn, key=lambda part: part.seconds, reverse=True)[:LEGEND_MAX]
    legend = [part for part in drawn if any(part is one for one in numbered)]
    last = found["phases"][-1]
    is_live = found["is_live"]
    return {
        "parts": _table(parts),
        "segments": _segments(drawn, legend),
        "width": WIDTH,
        "legend": [_row(part) for part in legend],
        "label": "; ".join(f"{part.label} {_amount(part)}" for part in legend),
        "total": found["seconds"],
        "now": phase_label(last["cause"], last["detail"]) if is_live else "",
        "now_since": last["from"] if is_live else "",
    }


def phase_label(cause: str, detail: str) -> str:
    """Label of a phase for people. A cause of a newer release is shown by its code."""
    text = CAUSES.get(cause)
    if text is None:
        return cause.replace("_", " ").capitalize()
    if cause == "step":
        return f"Step {detail}"
    if detail in STAGES and cause != "cluster":
        return STAGES[detail]
    return f"{text.label}: {detail.replace('_', ' ')}" if detail else text.label


def _tone(cause: str) -> str:
    return CAUSES[cause].tone if cause in CAUSES else "wait"


def _parts(phases: Sequence[TimePhase]) -> list[Part]:
    """Sum the phases by cause and detail, in the order of their first phases."""
    total = sum(phase["seconds"] for phase in phases) or 1.0
    parts: dict[tuple[str, str], Part] = {}
    for phase in phases:
        key = (phase["cause"], phase["detail"])
        if (part := parts.get(key)) is None:
            parts[key] = Part(phase_label(*key), _tone(key[0]), phase["seconds"])
        else:
            part.seconds += phase["seconds"]
            part.count += 1
    for part in parts.values():
        part.share = part.seconds / total
    return list(parts.values())


def _pooled(parts: Sequence[Part]) -> list[Part]:
    """Merge the parts below SHARE_MIN of each tone, because many short steps can take much time."""
    kept: list[Part] = []
    pools: dict[str, Part] = {}
    for part in parts:
        if part.share >= SHARE_MIN:
            kept.append(part)
        elif part.tone in pools:
            pool = pools[part.tone]
            pool.seconds, pool.share = pool.seconds + part.seconds, pool.share + part.share
            pool.count += 1
            pool.label = f"{pool.count} shorter parts"
        else:
            pools[part.tone] = pool = Part(part.label, part.tone, part.seconds, 1, part.share)
            kept.append(pool)
    return kept


def _segments(drawn: Sequence[Part], legend: Sequence[Part]) -> list[Segment]:
    whole = sum(part.share for part in drawn) or 1.0
    space = WIDTH - GAP * max(len(drawn) - 1, 0)
    segments, x = [], 0.0
    for part in drawn:
        width = part.share / whole * space
        number = next((str(at) for at, one in enumerate(legend, start=1) if one is part), "")
        segments.append(
            Segment(
                round(x, 2),
                round(width, 2),
                part.tone,
                number if width >= _NUMBER_WIDTH else "",
                f"{part.label}: {_amount(part)}",
            )
        )
        x += width + GAP
    return segments


def _table(parts: Sequence[Part]) -> list[Context]:
    """Build at most TABLE_MAX rows. The smallest parts are merged, which keeps the sum."""
    if len(parts) <= TABLE_MAX:
        return [_row(part) for part in parts]
    largest = sorted(parts, key=lambda part: part.seconds, reverse=True)[: TABLE_MAX - 1]
    kept = [part for part in parts if any(part is one for one in largest)]
    others = [part for part in parts if all(part is not one for one in largest)]
    rest = Part(f"{len(others)} shorter parts", "wait", sum(part.seconds for part in others))
    rest.share = sum(part.share for part in others)
    return [_row(part) for part in [*kept, rest]]


def _row(part: Part) -> Context:
    return {
        "label": part.label,
        "tone": part.tone,
        "seconds": part.seconds,
        "percent": _percent(part.share),
        "count": part.count,
    }


def _amount(part: Part) -> str:
    return f"{formatting.span(part.seconds)}, {_percent(part.share)}"


def _percent(share: float) -> str:
    return f"{share * 100:.0f}\u00a0%" if share >= SHARE_MIN else "below 1\u00a0%"
