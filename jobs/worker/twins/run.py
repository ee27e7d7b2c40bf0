"""`digital_twin_update`: a dataset version becomes the changes of a twin."""

from typing import Any

from jobs.contract import FailureReason
from jobs.worker.orders import Orders, WorkFailed


def run_update(orders: Orders) -> dict[str, Any]:
    """The result for `finish`. Raises: WorkFailed."""
    raise WorkFailed(FailureReason.WORKLOAD_FAILED, "not built yet")
