"""What success does to the project, for each type of job.

`outcome_prepare` reads and checks what the worker left, before any transaction; `outcome_apply` writes it, inside the transaction that makes
the job `succeeded`, and never on its own. A refusal is not an error of the worker's transport: the job fails with the reason given, and
nothing of the outcome stays.

Law: a module for each type, with `prepare(job, attempt, result)` and `apply(job, attempt, prepared)`; what they share is in `base`. What
the worker reports is untrusted. Writes of projects go through `projects`.
"""

import json
from typing import Any

from django.conf import settings

from jobs.contract import JobType
from jobs.models import Attempt, Job
from jobs.types import inference, pipelines, training, twins
from jobs.types.base import OutcomeRefused, refused_protocol

__all__ = ["OutcomeRefused", "outcome_apply", "outcome_prepare"]

_TYPES: dict[str, Any] = {
    JobType.PIPELINE_EXECUTION: pipelines,
    JobType.ML_TRAINING: training,
    JobType.ML_INFERENCE: inference,
    JobType.DIGITAL_TWIN_UPDATE: twins,
}


def outcome_prepare(*, job: Job, attempt: Attempt, result: dict[str, Any]) -> Any:
    """What the attempt made, read and checked, for `outcome_apply`. Raises: OutcomeRefused."""
    return _TYPES[job.type].prepare(job, attempt, result)


def outcome_apply(*, job: Job, attempt: Attempt, prepared: Any) -> dict[str, Any]:
    """Apply what `attempt` made to its project; returns the job's public result. Raises: OutcomeRefused."""
    public: dict[str, Any] = _TYPES[job.type].apply(job, attempt, prepared)
    if len(json.dumps(public)) > settings.ENV.result_bytes_max:
        raise refused_protocol(
            f"it is larger than {settings.ENV.result_bytes_max} bytes (RESULT_BYTES_MAX)"
        )
    return public
