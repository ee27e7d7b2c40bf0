"""`Run`: the state that the steps of one pipeline run share."""

from dataclasses import dataclass, field

from jobs.contract.protocol import DatasetResult
from jobs.worker.pipelines.tables import Tables
from jobs.worker.workload_context import WorkloadContext

PARQUET_MEDIA_TYPE = "application/vnd.apache.parquet"


@dataclass(slots=True)
class Run:
    """One run of a pipeline.

    `readable`: by step id, the tables of all steps that it depends on, in the order of the run.
    `outputs`: the dataset versions to create when the job succeeds, for the result of the job.
    `artifact_names`: names that are in use.
    """

    context: WorkloadContext
    tables: Tables
    readable: dict[str, list[str]]
    outputs: list[DatasetResult] = field(default_factory=list)
    artifact_names: set[str] = field(default_factory=set)


def dataset_artifact_name(step_id: str) -> str:
    """Return the name of the artifact with the dataset version that a step writes."""
    return f"dataset-{step_id}.parquet"
