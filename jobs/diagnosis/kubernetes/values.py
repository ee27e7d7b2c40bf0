"""What a diagnosis is, and the one way it is made. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from jobs.contract import FailureReason
from jobs.diagnosis.kubernetes.reading import storable
from jobs.reasons import FINAL_REASONS, UNCOUNTED_REASONS
from mimir.lib.redaction import redact_text

RAW_MAX = 1500  # characters of the cluster's own words
QUOTED_MAX = 600  # of them in a sentence
NAME_MAX = 253  # the longest name an object of Kubernetes bears

AGAIN: dict[str, Any] = {"label": "Run again", "patch": {}}
ANYWHERE: dict[str, Any] = {
    "label": "Run on any cluster",
    "patch": {"cluster": None, "region": None},
}
THEN_BY_ITSELF = "The worker then starts by itself."
TRIES_AGAIN = "The node tries again by itself."
NOTHING_TO_DO = "Nothing to do: wait"
LESS: dict[str, Any] = {"label": "Ask for less", "patch": {"resources": {}}}


class Stage(StrEnum):
    """Where the worker stands."""

    WAITS = "waits"  # it may still start, or go on, by itself
    STUCK = "stuck"  # it is still there, and waiting does not help: end it
    ENDING = "ending"  # it is being ended, and is not gone yet
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class ClusterDiagnosis:
    """Why a worker on a cluster waits, is being ended, or ended.

    `waiting`: it may still start by itself. `hopeless`: it is still there, but waiting does not help: end it now. With neither it is being
    ended (`facts["ending"]` is then true) or has ended. `retryable`: the orchestrator's next attempt can help. `counts`: it uses up one
    of the user's attempts. `raw`: the cluster's own reason and message, cut. `next_steps`: {"label", "patch"} as `jobs.diagnosis.job` explains.
    """

    category: FailureReason
    summary: str
    detail: str
    next_steps: tuple[dict[str, Any], ...]
    waiting: bool
    hopeless: bool
    retryable: bool
    counts: bool
    raw: str
    facts: dict[str, Any] = field(default_factory=dict)

    def told(self) -> dict[str, Any]:
        """What page, API and log say: the shape of `jobs.diagnosis.job`."""
        return {
            "category": self.category.value,
            "summary": self.summary,
            "detail": self.detail,
            "next_steps": [dict(step) for step in self.next_steps],
        }


@dataclass(frozen=True, slots=True)
class Finding:
    """A cause as its finder tells it, before it is known whether the worker still waits.

    `steps`: labels stand for what a person has to do first ({"patch": null}). `hopeless`: no waiting mends it. `meanwhile`: a sentence that
    holds while it waits.
    """

    category: FailureReason
    summary: str
    advice: str
    raw: str
    steps: tuple[str | Mapping[str, Any], ...] = ()
    hopeless: bool = False
    facts: Mapping[str, Any] = field(default_factory=dict)
    meanwhile: str = ""


def told(finding: Finding, stage: Stage, *, before: str = "") -> ClusterDiagnosis:
    """The diagnosis that `finding` is for a worker at `stage`. `before`: what else happened, as a sentence."""
    if stage is Stage.WAITS and finding.hopeless:
        stage = Stage.STUCK
    steps: list[dict[str, Any]] = [
        {"label": each, "patch": None} if isinstance(each, str) else dict(each)
        for each in finding.steps
    ]
    if stage is not Stage.WAITS and AGAIN not in steps:
        steps.append(AGAIN)
    raw = clean(finding.raw, RAW_MAX)
    facts = {name: value for name, value in finding.facts.items() if value not in (None, "")}
    return ClusterDiagnosis(
        category=finding.category,
        summary=clean(finding.summary, 2 * QUOTED_MAX),
        detail=" ".join(
            part
            for part in (
                finding.advice,
                finding.meanwhile if stage is Stage.WAITS else "",
                before,
                _said(raw),
            )
            if part
        ),
        next_steps=tuple(steps[:3]),
        waiting=stage is Stage.WAITS,
        hopeless=stage is Stage.STUCK,
        retryable=finding.category not in FINAL_REASONS,
        counts=finding.category not in UNCOUNTED_REASONS,
        raw=raw,
        facts=facts | ({"ending": True} if stage is Stage.ENDING else {}),
    )


def clean(text: str, most: int) -> str:
    """One line of untrusted text without secrets, at most `most` characters."""
    line = " ".join(redact_text(storable(text)).split())
    return line if len(line) <= most else line[: most - 1] + "…"


def _said(raw: str) -> str:
    return f"The cluster says: {clean(raw, QUOTED_MAX)}" if raw else ""
