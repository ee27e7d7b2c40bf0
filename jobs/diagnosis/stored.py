"""Diagnoses as rows and events store them. Rows of the previous release lack newer fields. Pure."""

from collections.abc import Mapping

from jobs.diagnosis.catalogue import CATALOGUE
from jobs.diagnosis.message import DiagnosisBody, NextStepBody
from jobs.reasons import USER_REASONS, Actor, reason_of

_TEXTS = ("category", "summary", "detail")
_NO_ACTION = "Nothing to do: wait"  # the label that release 0.1.0 stored for Actor.NOBODY


def read_diagnosis(stored: object) -> DiagnosisBody | None:
    """Return a stored diagnosis with all its fields; None for none."""
    if not isinstance(stored, Mapping) or not stored.get("category"):
        return None
    category, summary, detail = (str(stored.get(name) or "") for name in _TEXTS)
    steps = [step for step in stored.get("next_steps") or () if isinstance(step, Mapping)]
    return {
        "category": category,
        "code": str(stored.get("code") or category),
        "params": dict(stored.get("params") or {}),
        "summary": summary,
        "detail": detail,
        "next_steps": [_step(step, category) for step in steps],
    }


def ended_summary(stored: Mapping[str, object]) -> str:
    """Return the summary of a stored wait, for a worker that ended before the wait was over.

    A wait of another release, without a code of this catalogue, keeps its sentence.
    """
    message, params = CATALOGUE.get(str(stored.get("code"))), stored.get("params")
    if message is None or not isinstance(params, Mapping):
        return str(stored.get("summary") or "")
    return message.ended_summary(params)


def _step(stored: Mapping[str, object], category: str) -> NextStepBody:
    label, actor = str(stored.get("label") or ""), stored.get("actor")
    found = stored.get("patch")
    patch = found if isinstance(found, dict) else None
    if actor is None:
        by_user = patch is not None or reason_of(category) in USER_REASONS
        actor = Actor.USER if by_user else Actor.ADMINISTRATOR
        if label == _NO_ACTION:
            actor = Actor.NOBODY
    return {"label": label, "patch": patch, "actor": str(actor)}
