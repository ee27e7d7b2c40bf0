"""Messages of the diagnosis catalogue, and their rendering from typed parameters. Pure.

A template holds `{name}` placeholders. `{name:memory}` formats bytes, `{name:span}` seconds. A part
in square brackets is dropped when one of its parameters is missing or empty:
`"Evicted: the node[ {node}] ran out of memory."`
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NotRequired, TypedDict

from jobs.contract import FailureReason
from jobs.reasons import USER_REASONS, Actor
from mimir.lib.formatting import duration_text, memory_text
from mimir.lib.json_types import Json, JsonObject

Param = str | int | float | bool | None
Params = Mapping[str, Param]

_PARTS = re.compile(r"\[([^\[\]]*)\]|([^\[\]]+)")
_PLACEHOLDER = re.compile(r"\{(\w+)(?::(\w+))?\}")
_FORMATS: dict[str, Callable[[Any], str]] = {"memory": memory_text, "span": duration_text, "": str}
STEPS_MAX = 3


class NextStepBody(TypedDict):
    """One next step of a diagnosis, as stored and as the API returns it."""

    label: str
    patch: JsonObject | None
    actor: str


class DiagnosisBody(TypedDict):
    """A diagnosis, as stored in rows and events and as the API returns it."""

    category: str
    summary: str
    detail: str
    next_steps: list[NextStepBody]
    code: NotRequired[str]
    params: NotRequired[dict[str, Param]]


@dataclass(frozen=True, slots=True)
class Step:
    """One next step.

    `patch`: fields of a new request that differ, `{}` for an unchanged one, None when a person
    must act first. A value that is one placeholder becomes the parameter. `actor`: who acts; by
    default the user where the reason is theirs to fix, else an administrator.
    """

    label: str
    patch: JsonObject | None = None
    actor: Actor | None = None

    def body(self, params: Params, reason: FailureReason) -> NextStepBody:
        """Return the rendered step of a diagnosis for `reason`."""
        patch = None if self.patch is None else _filled(self.patch, params)
        by_user = patch is not None or reason in USER_REASONS
        actor = self.actor or (Actor.USER if by_user else Actor.ADMINISTRATOR)
        return {"label": render(self.label, params), "patch": patch, "actor": actor.value}


AGAIN = Step("Run again", {})
ANYWHERE = Step("Run on any cluster", {"cluster": None, "region": None})
LESS = Step("Request less", {"resources": {}})
STARTS_BY_ITSELF = "The worker then starts automatically."
TRIES_AGAIN = "The node retries automatically."
NO_CACHE = "Run workers without the shared model cache"
WAIT = Step("No action needed: wait", actor=Actor.NOBODY)


@dataclass(frozen=True, slots=True)
class Message:
    """User-facing message of one cause.

    `code` is the reason, with a suffix where a reason has several causes. `waiting`: the summary
    is a clause that follows "Waiting:" while the worker waits, and "Never started:" afterwards.
    `meanwhile`: last sentence of the detail while the worker waits. `stuck`: waiting does not help.
    """

    code: str
    reason: FailureReason
    summary: str
    detail: str
    steps: tuple[Step, ...] = ()
    waiting: bool = False
    meanwhile: str = ""
    stuck: bool = False
    placeholders: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        texts = (self.summary, self.detail, self.meanwhile, *(step.label for step in self.steps))
        names = {match[1] for text in texts for match in _PLACEHOLDER.finditer(text)}
        object.__setattr__(self, "placeholders", frozenset(names))

    def problem(self, params: Params) -> str:
        """Return the summary without "Waiting:"."""
        return render(self.summary, params)

    def detail_of(self, params: Params) -> str:
        """Return the detail without the sentences that depend on the worker's stage."""
        return render(self.detail, params)

    def waits_summary(self, params: Params) -> str:
        """Return the summary of a worker that waits."""
        return f"{'Waiting: ' if self.waiting else ''}{self.problem(params)}"

    def ended_summary(self, params: Params) -> str:
        """Return the summary for a worker that has ended."""
        return f"{'Never started: ' if self.waiting else ''}{self.problem(params)}"


def message(
    code: str,
    summary: str,
    detail: str,
    *steps: Step | str,
    waiting: bool = False,
    meanwhile: str = "",
    stuck: bool = False,
) -> Message:
    """Return the message of `code` (`<reason>[.<cause>]`); a text becomes a step with no patch."""
    reason = FailureReason(code.partition(".")[0])
    next_steps = tuple(Step(step) if isinstance(step, str) else step for step in steps)
    return Message(code, reason, summary, detail, next_steps, waiting, meanwhile, stuck)


def render(template: str, params: Params) -> str:
    """Return the template with its parameters; missing ones are empty."""
    return "".join(_rendered(template, params))


def steps_of(
    steps: Sequence[Step], params: Params, reason: FailureReason, *, again: bool = False
) -> list[NextStepBody]:
    """Return the rendered steps, at most three. `again`: offer a retry as well."""
    offered = [*steps, AGAIN] if again and AGAIN not in steps else steps
    return [step.body(params, reason) for step in offered[:STEPS_MAX]]


def _rendered(template: str, params: Params) -> Iterator[str]:
    for part in _PARTS.finditer(template):
        optional, text = part[1], part[2]
        if optional is None:
            yield _PLACEHOLDER.sub(lambda match: _value(match, params), text)
        elif all(_is_present(params.get(m[1])) for m in _PLACEHOLDER.finditer(optional)):
            yield _PLACEHOLDER.sub(lambda match: _value(match, params), optional)


def _value(match: re.Match[str], params: Params) -> str:
    value = params.get(match[1])
    return _FORMATS[match[2] or ""](value) if _is_present(value) else ""


def _is_present(value: Param) -> bool:
    return value is not None and value != ""


def _filled(patch: JsonObject, params: Params) -> JsonObject:
    return {name: _filled_value(value, params) for name, value in patch.items()}


def _filled_value(value: Json, params: Params) -> Json:
    if isinstance(value, dict):
        return _filled(value, params)
    match = _PLACEHOLDER.fullmatch(value) if isinstance(value, str) else None
    return params.get(match[1]) if match else value
