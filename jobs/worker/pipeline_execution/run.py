"""`pipeline_execution`: entry point, which `workload` finds by the name of the job type."""

from jobs.contract.protocol import PipelineResult
from jobs.worker.pipelines.runner import run_pipeline
from jobs.worker.workload_context import WorkloadContext


def run(context: WorkloadContext) -> PipelineResult:
    """Run the pipeline; return the result for `finish`. Raises: WorkFailed."""
    return run_pipeline(context)
