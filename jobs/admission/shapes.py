"""API bodies about waiting jobs. Each matches a serializer of `jobs.api`, which a test checks."""

from typing import TypedDict


class RuleBody(TypedDict):
    """Result of one admission rule; `detail` is empty if it passes."""

    rule: str
    passes: bool
    detail: str


class WaitingBody(TypedDict):
    """Why a queued job waits. `estimate_seconds` is None if nothing is known."""

    position: int
    blocked_by: str
    detail: str
    estimate_seconds: float | None
    rules: list[RuleBody]
