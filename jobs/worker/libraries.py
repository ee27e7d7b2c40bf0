"""Thread limits, imports and warnings of the libraries for training and inference."""

import contextlib
import importlib
import os
import time
import warnings
from collections.abc import Iterator
from typing import Any

from jobs.contract import EventKind, WorkStage
from jobs.worker.joblog import log
from jobs.worker.workload_context import WorkloadContext

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "LOKY_MAX_CPU_COUNT")


def limit_threads(context: WorkloadContext) -> int:
    """Limit the libraries to one thread per core of the job; return that number.

    Must be called before the libraries are imported, because they read the variables then.
    """
    threads = max(1, int(context.limits["cpu_millicores"]) // 1000)
    for name in _THREADS:
        os.environ[name] = str(threads)
    # Waiting threads sleep. A spinning thread takes the core from the thread it waits for, and
    # training on a busy machine takes five times as long.
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
    return threads


def import_libraries(context: WorkloadContext) -> None:
    """Import the slow libraries and report it: otherwise the job's log stays empty for seconds."""
    message = "Importing pandas, scikit-learn and pyarrow"
    context.event(EventKind.PROGRESS, fraction=0.01, message=message, stage=WorkStage.IMPORTING)
    log(message)
    began = time.monotonic()
    for name in ("pyarrow", "pandas", "sklearn", "sklearn.ensemble", "duckdb"):
        importlib.import_module(name)
    log(f"libraries imported in {time.monotonic() - began:.1f} s")


@contextlib.contextmanager
def report_warnings(context: WorkloadContext) -> Iterator[None]:
    """Report each warning of the libraries once.

    A failure to converge is a notice for users; other warnings go to the log only.
    """
    from sklearn.exceptions import ConvergenceWarning

    reported: set[str] = set()

    def show(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
        text = " ".join(str(message).split())[:500]
        if text in reported:
            return
        reported.add(text)
        if issubclass(category, ConvergenceWarning):
            context.event(
                EventKind.NOTICE,
                message="The model did not converge: more iterations (max_iter) may help. "
                + text[:200],
            )
        log(f"{category.__name__}: {text}")

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = show  # restored by catch_warnings
        yield
