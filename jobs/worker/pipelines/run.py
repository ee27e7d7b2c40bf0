"""One run of a pipeline: what its steps share."""

from dataclasses import dataclass, field
from typing import Any

from jobs.worker.pipelines.tables import Tables
from jobs.worker.workload_context import Orders


@dataclass(slots=True)
class Run:
    """One run: its orders, its tables, what each step gives, what is to become of the project when it succeeds."""

    orders: Orders
    tables: Tables
    readable: dict[
        str, list[str]
    ]  # step -> tables of the steps it depends on, in the order they ran
    outputs: list[dict[str, Any]] = field(default_factory=list)
    artifact_names: set[str] = field(default_factory=set)
