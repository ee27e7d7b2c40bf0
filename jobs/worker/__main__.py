"""`python -m jobs.worker`: claims the attempt that its environment names, runs it, reports, exits. Exit codes: docs/reference/worker-protocol.md.

Started by the process launcher it first forks itself off, so that nobody of ours is its parent, keeps the lock it inherited, and leaves a
guardian above the supervisor. In a container it is the first process and stays it: the kernel ends the others with it. The workload's
interpreter is started before the supervisor's modules are imported: the two take their time side by side.
"""

import os
import signal
import sys
from typing import Any

from jobs.worker import environment as _environment
from jobs.worker import process_tree
from jobs.worker.environment import (
    EXIT_ENVIRONMENT,
    EXIT_STOPPED,
    BadWorkerEnvironment,
    WorkerEnvironment,
)
from jobs.worker.guard_process import stand_guard
from jobs.worker.process import make_scratch, start_workload
from mimir.lib.crash import crash_point


def main() -> int:
    """One attempt; the exit code."""
    # A container's first process is sent only the signals that it handles: without this one, SIGTERM would wait for SIGKILL.
    signal.signal(signal.SIGTERM, _stopped)
    try:
        environment = _environment.read()
        make_scratch(environment)
    except BadWorkerEnvironment as error:
        print(f"worker: {error}", file=sys.stderr)
        return EXIT_ENVIRONMENT
    if environment.lock_descriptor is not None:
        _fork_off(environment)
    process_tree.become_supervisor()
    process_tree.forget_token("JOB_TOKEN")
    if environment.lock_descriptor is not None:
        stand_guard()
        process_tree.become_subreaper()  # a fork does not inherit that
    crash_point("worker.before_claim")
    workload = start_workload(environment)
    from jobs.worker.attempt import run_attempt

    return run_attempt(environment, workload)


def _stopped(_number: int, _frame: Any) -> None:
    """Asked to stop before there is a supervisor that could tell of it."""
    raise SystemExit(EXIT_STOPPED)


def _fork_off(environment: WorkerEnvironment) -> None:
    """The child goes on, in the session its starter made; the parent ends. The child's pid is left where `terminate` finds it.

    Both leave it: the parent, so that it is there when the starter has its answer; the child, so that it is there if the parent was killed.
    """
    assert environment.lock_descriptor is not None
    assert environment.worker_dir is not None
    os.set_inheritable(environment.lock_descriptor, False)
    crash_point("worker.before_fork")
    child = os.fork()
    if child:
        crash_point("worker.after_fork")
    temporary = environment.worker_dir / f"pid.{os.getpid()}"
    temporary.write_text(str(child or os.getpid()))
    temporary.rename(environment.worker_dir / "pid")
    if child:
        os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
