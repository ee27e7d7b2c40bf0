"""`ml_training`: a dataset version becomes a trained model."""

from typing import Any

from jobs.contract import FailureReason
from jobs.worker.orders import Orders, WorkFailed


def run_training(orders: Orders) -> dict[str, Any]:
    """The result for `finish`. Raises: WorkFailed."""
    raise WorkFailed(FailureReason.WORKLOAD_FAILED, "not built yet")
