"""Runs the steps of a definition, one after another, in the order of their dependencies, and reports each."""

import errno
import time
from collections.abc import Callable
from typing import Any

from jobs.contract import EventKind, FailureReason
from jobs.worker.pipelines.run import Run
from jobs.worker.pipelines.tables import Tables
from jobs.worker.pipelines.write import artifact_name
from jobs.worker.workload_context import Orders, WorkFailed
from mimir.lib.schemas.pipeline import Step, steps_in_order


def run_pipeline(orders: Orders) -> dict[str, Any]:
    """The result for `finish`: {"outputs", "steps"}. Raises: WorkFailed, with the step in its detail."""
    definition = next(item["definition"] for item in orders.inputs if item["kind"] == "pipeline")
    steps = steps_in_order(definition)
    tables = Tables(
        orders.data_dir / "tables",
        memory_bytes=orders.limits["memory_bytes"],
        cpu_millicores=orders.limits["cpu_millicores"],
    )
    # Names of what `write` steps deliver are taken before any command can leave a file called so.
    taken = {artifact_name(step.id) for step in steps if step.uses == "write"}
    run = Run(orders, tables, _readable(steps), artifact_names=taken)
    done: list[dict[str, Any]] = []
    for index, step in enumerate(steps):
        orders.event(
            EventKind.PROGRESS,
            fraction=index / len(steps),
            message=f"Step {index + 1} of {len(steps)}: {step.id}",
        )
        done.append(_run_step(run, step, index, steps))
    return {"outputs": run.outputs, "steps": done}


def _readable(steps: list[Step]) -> dict[str, list[str]]:
    """The tables of all steps that each step depends on, directly or not."""
    ancestors: dict[str, set[str]] = {}
    tables: dict[str, list[str]] = {}
    for step in steps:
        ancestors[step.id] = set(step.needs).union(*(ancestors[need] for need in step.needs))
        tables[step.id] = [
            table for other in steps if other.id in ancestors[step.id] for table in other.makes
        ]
    return tables


def _run_step(run: Run, step: Step, index: int, steps: list[Step]) -> dict[str, Any]:
    run.orders.event(
        EventKind.STEP_STARTED, step=step.id, uses=step.uses, index=index, count=len(steps)
    )
    began = time.monotonic()
    try:
        rows = _rows_of(run, step)
    except WorkFailed as failure:
        seconds = round(time.monotonic() - began, 3)
        run.orders.event(
            EventKind.STEP_FAILED,
            step=step.id,
            seconds=seconds,
            message=failure.message or failure.reason,
        )
        for skipped in steps[index + 1 :]:
            run.orders.event(EventKind.STEP_SKIPPED, step=skipped.id)
        detail = {"step": step.id, **failure.detail}
        raise WorkFailed(failure.reason, _named(step, failure), **detail) from failure
    seconds = round(time.monotonic() - began, 3)
    run.orders.event(EventKind.STEP_SUCCEEDED, step=step.id, seconds=seconds, rows=rows)
    return {
        "id": step.id,
        "uses": step.uses,
        "status": "succeeded",
        "seconds": seconds,
        "rows": rows,
    }


def _rows_of(run: Run, step: Step) -> int | None:
    """Run the step. Whatever it raises becomes a failure of that step. Raises: WorkFailed."""
    try:
        return _STEPS[step.uses]()(run, step)
    except WorkFailed:
        raise
    except MemoryError as error:
        raise WorkFailed(FailureReason.OUT_OF_MEMORY, "") from error
    except Exception as error:
        import traceback  # takes a while: only where it is needed

        traceback.print_exc()
        full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
        reason = FailureReason.DISK_FULL if full else FailureReason.WORKLOAD_FAILED
        raise WorkFailed(reason, f"{type(error).__name__}: {error}"[:1000]) from error


def _named(step: Step, failure: WorkFailed) -> str:
    """The sentence people read: with the step, unless the diagnosis makes its own."""
    if not failure.message or failure.reason is FailureReason.SIGNAL:
        return failure.message
    return f"Step {step.id} failed: {failure.message}"


_StepFunction = Callable[[Run, Step], int | None]


def _read() -> _StepFunction:
    from jobs.worker.pipelines.read import run_read

    return run_read


def _sql() -> _StepFunction:
    from jobs.worker.pipelines.sql import run_sql_step

    return run_sql_step


def _write() -> _StepFunction:
    from jobs.worker.pipelines.write import run_write

    return run_write


def _command() -> _StepFunction:
    from jobs.worker.pipelines.command import run_command

    return run_command


_STEPS: dict[str, Callable[[], _StepFunction]] = {
    "read": _read,
    "sql": _sql,
    "write": _write,
    "command": _command,
}
