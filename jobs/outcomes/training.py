"""`ml_training`: the trained model becomes a model version."""

from typing import Any

from jobs.models import Attempt, Job
from jobs.outcomes.base import refused_protocol


def prepare(job: Job, attempt: Attempt, result: dict[str, Any]) -> dict[str, Any]:
    """Raises: OutcomeRefused."""
    raise refused_protocol("not built yet")


def apply(job: Job, attempt: Attempt, prepared: dict[str, Any]) -> dict[str, Any]:
    """Raises: OutcomeRefused."""
    raise refused_protocol("not built yet")
