"""`python -m jobs.worker`: claim the attempt of the environment, run it, report, exit.

Exit codes: docs/reference/worker-protocol.md.

Under the process launcher it first forks, to detach from the launcher. It keeps the inherited lock
and leaves a guardian above the supervisor. In a container it is process 1 and stays: when it exits,
the kernel kills the others. The workload's interpreter starts before the supervisor's modules are
imported, so that both happen in parallel.
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
from jobs.worker.guard_process import start_guardian
from jobs.worker.process import make_scratch, start_workload
from mimir.lib.crash import crash_point


def main() -> int:
    """Run one attempt; return the exit code."""
    # Process 1 of a container receives only signals that it handles. Without this handler, SIGTERM
    # would have no effect until SIGKILL.
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
        start_guardian()
        process_tree.become_subreaper()  # not inherited by a fork
    crash_point("worker.before_claim")
    workload = start_workload(environment)
    from jobs.worker.attempt import run_attempt

    return run_attempt(environment, workload)


def _stopped(_number: int, _frame: Any) -> None:
    """Exit on a SIGTERM that arrives before a supervisor exists to report it."""
    raise SystemExit(EXIT_STOPPED)


def _fork_off(environment: WorkerEnvironment) -> None:
    """Fork: the child continues in the session that the launcher created; the parent exits.

    The child's pid is written to the file that `terminate` reads. Both write it: the parent,
    because the launcher expects it when the parent has exited; the child, in case the parent was
    killed.
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
