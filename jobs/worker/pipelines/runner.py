"""Runs the steps of a pipeline definition in the order of their dependencies and reports each."""

import errno
import importlib
import time
from collections.abc import Callable
from typing import cast

from jobs.contract import EventKind, FailureReason
from jobs.contract.protocol import PipelineResult, StepResultBody
from jobs.worker.pipelines.run import Run, dataset_artifact_name
from jobs.worker.pipelines.tables import Tables
from jobs.worker.workload_context import WorkFailed, WorkloadContext
from mimir.lib.schemas.pipeline import Step, steps_in_order
from mimir.lib.schemas.pipeline_types import PipelineDefinition
from mimir.lib.schemas.sqlparser import parse_with


def run_pipeline(context: WorkloadContext) -> PipelineResult:
    """Run the job's pipeline and return the result for `finish`: {"outputs", "steps"}.

    Raises: WorkFailed, with the step in its detail.
    """
    definition = next(item["definition"] for item in context.inputs if item["kind"] == "pipeline")
    tables = Tables(
        context.data_dir / "tables",
        memory_bytes=context.limits["memory_bytes"],
        cpu_millicores=context.limits["cpu_millicores"],
    )
    parse_with(tables.session)
    steps = steps_in_order(cast("PipelineDefinition", definition))  # checked at submit
    # Reserved before any command runs: a command's file must not take the name of a dataset.
    reserved = {
        dataset_artifact_name(step.id)
        for step in steps
        if step.type.dataset_field("write") is not None
    }
    run = Run(context, tables, _readable(steps), artifact_names=reserved)
    results: list[StepResultBody] = []
    for index, step in enumerate(steps):
        context.event(
            EventKind.PROGRESS,
            fraction=index / len(steps),
            message=f"Step {index + 1} of {len(steps)}: {step.id}",
        )
        results.append(_run_step(run, step, index, steps))
    return {"outputs": run.outputs, "steps": results}


def _readable(steps: list[Step]) -> dict[str, list[str]]:
    """Return by step id the tables of all steps that it depends on, directly or indirectly."""
    ancestors: dict[str, set[str]] = {}
    tables: dict[str, list[str]] = {}
    for step in steps:
        ancestors[step.id] = set(step.needs).union(*(ancestors[need] for need in step.needs))
        tables[step.id] = [
            table for other in steps if other.id in ancestors[step.id] for table in other.makes
        ]
    return tables


def _run_step(run: Run, step: Step, index: int, steps: list[Step]) -> StepResultBody:
    """Run one step and report its start and its end as events. Raises: WorkFailed."""
    run.context.event(
        EventKind.STEP_STARTED, step=step.id, uses=step.uses, index=index, count=len(steps)
    )
    started = time.monotonic()
    try:
        rows = _call(run, step)
    except WorkFailed as failure:
        run.context.event(
            EventKind.STEP_FAILED,
            step=step.id,
            seconds=round(time.monotonic() - started, 3),
            message=failure.message or failure.reason,
        )
        for skipped in steps[index + 1 :]:
            run.context.event(EventKind.STEP_SKIPPED, step=skipped.id)
        detail = {"step": step.id, **failure.detail}
        raise WorkFailed(failure.reason, _with_step(step, failure), **detail) from failure
    seconds = round(time.monotonic() - started, 3)
    run.context.event(EventKind.STEP_SUCCEEDED, step=step.id, seconds=seconds, rows=rows)
    return {
        "id": step.id,
        "uses": step.uses,
        "status": "succeeded",
        "seconds": seconds,
        "rows": rows,
    }


def _call(run: Run, step: Step) -> int | None:
    """Call the step's function. Raises: WorkFailed, whatever the function raised."""
    try:
        return _function(step)(run, step)
    except WorkFailed:
        raise
    except MemoryError as error:
        raise WorkFailed(FailureReason.OUT_OF_MEMORY, "") from error
    except Exception as error:
        import traceback  # slow to import, and rarely needed

        traceback.print_exc()
        full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
        reason = FailureReason.DISK_FULL if full else FailureReason.WORKLOAD_FAILED
        raise WorkFailed(reason, f"{type(error).__name__}: {error}"[:1000]) from error


def _function(step: Step) -> Callable[[Run, Step], int | None]:
    """Import the module of the step's type; a run imports only the types that it has."""
    module = importlib.import_module(f"jobs.worker.pipelines.steps.{step.type.name}")
    execute: Callable[[Run, Step], int | None] = module.execute
    return execute


def _with_step(step: Step, failure: WorkFailed) -> str:
    """Return the message with the step's id. For signals, the diagnosis writes its own message."""
    if not failure.message or failure.reason is FailureReason.SIGNAL:
        return failure.message
    return f"Step {step.id} failed: {failure.message}"
