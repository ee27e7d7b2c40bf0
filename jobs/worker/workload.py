"""`python -m jobs.worker.workload`: the process that runs a job, unless it is forked.

It has no token and no address of the orchestrator; requests go through its supervisor. It can be
killed at any moment. Its last message, or without one its exit status, is the attempt's outcome.
"""

import contextlib
import os
import signal
import socket
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import FrameType

from jobs.contract import FailureReason
from jobs.contract.protocol import WorkResult
from jobs.worker import process_tree
from jobs.worker.channel import DESCRIPTOR_VARIABLE, Channel
from jobs.worker.leaving import leave
from jobs.worker.workload_context import Terminated, WorkFailed, WorkloadContext


def main() -> int:
    """Run the workload in an interpreter of its own; return the exit code."""
    process_tree.die_with_parent(os.getppid())
    descriptor = int(os.environ.pop(DESCRIPTOR_VARIABLE))
    os.set_inheritable(descriptor, False)
    return run_workload(descriptor)


def run_workload(descriptor: int) -> int:
    """Wait for the job on the channel `descriptor`, run it, report; return the exit code."""
    # Import while the supervisor claims the attempt. `_run` raises an error again and reports it.
    with contextlib.suppress(Exception):
        _function_of(os.environ["JOB_TYPE"])
    context = WorkloadContext(
        Channel(socket.socket(fileno=descriptor), trusted=True), Path(os.environ["MIMIR_DATA_DIR"])
    )
    signal.signal(signal.SIGTERM, _terminated)
    try:
        context.done(status="succeeded", result=_run(context))
    except WorkFailed as failure:
        _report(context, failure)
    except MemoryError:
        _report(context, WorkFailed(FailureReason.OUT_OF_MEMORY, ""))
    except Terminated:
        return 128 + signal.SIGTERM
    except Exception as error:
        import traceback  # slow to import, and rarely needed

        traceback.print_exc()
        _report(
            context,
            WorkFailed(FailureReason.WORKLOAD_FAILED, f"{type(error).__name__}: {error}"[:1000]),
        )
    return 0


def _run(context: WorkloadContext) -> WorkResult:
    """Return the result for `finish`."""
    return _function_of(context.job["type"])(context)


def _function_of(job_type: str) -> Callable[[WorkloadContext], WorkResult]:
    """Return `run` of `jobs/worker/<type>/run.py`. Raises: WorkFailed for an unknown type.

    Only the package of this type is imported: the libraries of the others cost seconds.
    """
    name = f"jobs.worker.{job_type}.run"
    try:
        if not job_type.isidentifier() or find_spec(name) is None:
            raise ModuleNotFoundError(name)
    except ModuleNotFoundError:
        raise WorkFailed(FailureReason.PROTOCOL, f"This worker does not run {job_type}.") from None
    run: Callable[[WorkloadContext], WorkResult] = import_module(name).run
    return run


def _report(context: WorkloadContext, failure: WorkFailed) -> None:
    """Report a failure; print the cause to the log as well."""
    if failure.message:
        print(f"mimir: {failure.message}", file=sys.stderr, flush=True)
    context.done(
        status="failed", reason=failure.reason, message=failure.message, detail=failure.detail
    )


def _terminated(_number: int, _frame: FrameType | None) -> None:
    raise Terminated


if __name__ == "__main__":
    leave(main())
