"""`ml_inference`: a model and a dataset version become predictions."""

from typing import Any

from jobs.contract import FailureReason
from jobs.worker.orders import Orders, WorkFailed


def run_inference(orders: Orders) -> dict[str, Any]:
    """The result for `finish`. Raises: WorkFailed."""
    raise WorkFailed(FailureReason.WORKLOAD_FAILED, "not built yet")
