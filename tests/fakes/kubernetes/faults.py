"""Faults between a client and the API server, per verb and resource, by count or at random."""

import fnmatch
import random
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any


class Fault(StrEnum):
    """Kinds of faults. `seconds` is explained with each; "real" seconds are wall time."""

    LATENCY = "latency"  # committed at once, answered after `seconds` of real time
    TOO_MANY_REQUESTS = "too-many-requests"  # 429, Retry-After: `seconds`
    ERROR_BEFORE_COMMIT = "error-before-commit"  # 500, not executed
    ERROR_AFTER_COMMIT = "error-after-commit"  # executed, then 500
    DROP_BEFORE_COMMIT = "drop-before-commit"  # the connection breaks, not executed
    DROP_AFTER_COMMIT = "drop-after-commit"  # executed; the response is lost
    TIMEOUT_BEFORE_COMMIT = (
        "timeout-before-commit"  # not executed, no response; breaks after `seconds` of real time
    )
    TIMEOUT_AFTER_COMMIT = (
        "timeout-after-commit"  # executed, no response; breaks after `seconds` of real time
    )
    LATE_COMMIT = "late-commit"  # answered with `answer`; executed after `seconds`
    FORBIDDEN = "forbidden"  # 403, not executed
    FORBIDDEN_AFTER_COMMIT = "forbidden-after-commit"  # 403, although executed
    INVALID = "invalid"  # 422
    QUOTA = "quota"  # 403 of a quota
    # state of `changes` ago; with `seconds`: a cached list of this age, or a true one this late
    LIST_STALE = "list-stale"
    LIST_GONE = "list-gone"  # 410 for a list: its page or version has expired
    WATCH_DROP = "watch-drop"  # one event is dropped
    WATCH_DOUBLE = "watch-double"  # one event is sent twice
    WATCH_LATE = "watch-late"  # one event and those after it are delayed by `seconds`
    WATCH_SILENT = "watch-silent"  # the stream stays open without further events
    WATCH_CUT = "watch-cut"  # the stream breaks instead of one event
    WATCH_GONE = "watch-gone"  # an ERROR event with 410 instead of one event, then the end
    WATCH_REFUSED = "watch-refused"  # HTTP 410 at the start of the watch


MUTATING = frozenset({"create", "update", "patch", "delete", "deletecollection"})
ON_EVENTS = frozenset(
    {
        Fault.WATCH_DROP,
        Fault.WATCH_DOUBLE,
        Fault.WATCH_LATE,
        Fault.WATCH_SILENT,
        Fault.WATCH_CUT,
        Fault.WATCH_GONE,
    }
)
_ONLY = {
    Fault.LIST_STALE: frozenset({"list"}),
    Fault.LIST_GONE: frozenset({"list"}),
    Fault.WATCH_REFUSED: frozenset({"watch"}),
    Fault.LATE_COMMIT: MUTATING,
    Fault.INVALID: frozenset({"create", "update", "patch"}),
    Fault.QUOTA: frozenset({"create"}),
}
ANSWERS = (
    Fault.TIMEOUT_BEFORE_COMMIT,
    Fault.DROP_BEFORE_COMMIT,
    Fault.ERROR_BEFORE_COMMIT,
    Fault.FORBIDDEN,
)


@dataclass(slots=True)
class Rule:
    """Fault rule for the requests or watch events that match it.

    Empty means any; `name` may contain `*`; `count` None means always.
    """

    fault: Fault
    verb: str = ""
    resource: str = ""  # "jobs", "pods", "pods/log", "events", "nodes"
    name: str = ""
    count: int | None = 1
    skip: int = 0  # number of matching requests that pass first
    probability: float = 1.0
    seconds: float = 0.0
    changes: int = 1  # LIST_STALE: number of changes ago, if `seconds` is 0
    answer: Fault = Fault.ERROR_BEFORE_COMMIT  # LATE_COMMIT: the immediate response
    message: str = ""
    fired: int = 0

    def fits(self, verb: str, resource: str, name: str) -> bool:
        only = frozenset({"watch"}) if self.fault in ON_EVENTS else _ONLY.get(self.fault)
        return (
            (self.count is None or self.fired < self.count)
            and (not self.verb or self.verb == verb)
            and (not self.resource or self.resource == resource)
            and (only is None or verb in only)
            and (not self.name or fnmatch.fnmatchcase(name, self.name))
        )

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class Faults:
    """Fault rules in the order they were added; the first match applies."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self.rules: list[Rule] = []

    def add(self, rule: Rule) -> None:
        self.rules.append(rule)

    def clear(self) -> None:
        self.rules.clear()

    def on_request(self, verb: str, resource: str, name: str) -> Rule | None:
        return self._take(verb, resource, name, events=False) if self.rules else None

    def on_event(self, resource: str, name: str) -> Rule | None:
        return self._take("watch", resource, name, events=True) if self.rules else None

    def _take(self, verb: str, resource: str, name: str, *, events: bool) -> Rule | None:
        for rule in self.rules:
            if (rule.fault in ON_EVENTS) is not events or not rule.fits(verb, resource, name):
                continue
            if rule.skip > 0:
                rule.skip -= 1
                continue
            if rule.probability < 1.0 and self._dice.random() >= rule.probability:
                continue
            rule.fired += 1
            return rule
        return None


def rule_from_json(data: dict[str, Any]) -> Rule:
    """Parse a fault rule. Raises: ValueError, TypeError."""
    known = {each.name for each in fields(Rule)} - {"fired"}
    if unknown := set(data) - known:
        raise ValueError(
            f"unknown in a fault: {', '.join(sorted(unknown))}; known: {', '.join(sorted(known))}"
        )
    typed: dict[str, Any] = {
        name: Fault(value) if name in ("fault", "answer") else value for name, value in data.items()
    }
    rule = Rule(**typed)
    if rule.answer not in ANSWERS:
        raise ValueError(f"answer must be one of {', '.join(ANSWERS)}")
    return rule
