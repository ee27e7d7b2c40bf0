"""A cause that a rule found, and the diagnosis that it becomes. Pure."""

from dataclasses import dataclass, field
from enum import StrEnum

from jobs.contract import FailureReason
from jobs.diagnosis.kubernetes.objects import limited
from jobs.diagnosis.message import DiagnosisBody, Message, NextStepBody, Param, Params, steps_of
from jobs.reasons import FINAL_REASONS, REASONS
from mimir.lib.redaction import redact_text

RAW_MAX = 1500  # characters of the cluster's own report
QUOTED_MAX = 600  # characters of it that a sentence quotes
NAME_MAX = 253  # the longest name of a Kubernetes object


class Stage(StrEnum):
    """Stage of a worker at the time of a diagnosis."""

    WAITS = "waits"  # it can still start, or continue, by itself
    STUCK = "stuck"  # it still exists, and waiting does not help: end it
    ENDING = "ending"  # it is being ended, and is not gone yet
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Why a worker on a cluster waits, is being ended, or ended.

    `waiting`: it can still start by itself. `stuck`: it still exists, but waiting does not help:
    end it now. With neither it is being ended (`ending`) or has ended. `retryable`: the next
    attempt can help. `counts`: it uses up one of the user's attempts. `raw`: the cluster's own
    reason and message, truncated, as evidence. `code` and `params`: the message of the catalogue
    and its parameters, from which the texts are rendered.
    """

    category: FailureReason
    code: str
    params: dict[str, Param]
    summary: str
    detail: str
    next_steps: tuple[NextStepBody, ...]
    waiting: bool
    stuck: bool
    ending: bool
    retryable: bool
    counts: bool
    raw: str

    def body(self) -> DiagnosisBody:
        """Return the diagnosis as rows store it and as the API returns it."""
        return {
            "category": self.category.value,
            "code": self.code,
            "params": dict(self.params),
            "summary": self.summary,
            "detail": self.detail,
            "next_steps": [*self.next_steps],
        }


@dataclass(frozen=True, slots=True)
class Cause:
    """A cause found by a rule, before it is known whether the worker still waits.

    `raw`: the cluster's own words. `cluster_reason`: the reason that the cluster gives, for later
    rules. `notes`: further sentences of the detail.
    """

    message: Message
    params: Params = field(default_factory=dict)
    raw: str = ""
    cluster_reason: str = ""
    notes: tuple[str, ...] = ()

    @property
    def category(self) -> FailureReason:
        return self.message.reason

    def problem(self) -> str:
        """Return the summary without "Waiting:", for another cause that contains it."""
        return self.message.problem(self.params)


def diagnosis_of(cause: Cause, stage: Stage, *, before: str = "") -> Diagnosis:
    """Return the diagnosis of a worker at `stage`. `before`: a sentence on earlier events."""
    message = cause.message
    if stage is Stage.WAITS and message.stuck:
        stage = Stage.STUCK
    over = stage in (Stage.ENDING, Stage.ENDED)
    raw = clean(cause.raw, RAW_MAX)
    params = _storable(cause.params)
    summary = message.ended_summary(params) if over else message.waits_summary(params)
    detail = (
        message.detail_of(params),
        *cause.notes,
        message.meanwhile if stage is Stage.WAITS else "",
        before,
        f"The cluster says: {clean(raw, QUOTED_MAX)}" if raw else "",
    )
    steps = steps_of(message.steps, params, cause.category, again=stage is not Stage.WAITS)
    return Diagnosis(
        category=cause.category,
        code=message.code,
        params=params,
        summary=clean(summary, 2 * QUOTED_MAX),
        detail=" ".join(part for part in detail if part),
        next_steps=tuple(steps),
        waiting=stage is Stage.WAITS,
        stuck=stage is Stage.STUCK,
        ending=stage is Stage.ENDING,
        retryable=cause.category not in FINAL_REASONS,
        counts=REASONS[cause.category].counts,
        raw=raw,
    )


def clean(text: str, most: int) -> str:
    """Return untrusted text as one line without secrets, at most `most` characters."""
    line = " ".join(redact_text(limited(text)).split())
    return line if len(line) <= most else line[: most - 1] + "…"


def _storable(params: Params) -> dict[str, Param]:
    """Drop parameters without a value, and clean the cluster's words in the others."""
    return {
        name: clean(value, 2 * QUOTED_MAX) if isinstance(value, str) else value
        for name, value in params.items()
        if value not in (None, "")
    }
