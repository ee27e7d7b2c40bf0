"""`python -m jobs.worker`: claim the attempt that the environment names, run it, report, exit.

Exit codes: docs/reference/worker-protocol.md.

Under the process launcher the worker is a fork of the fork server, or of its own interpreter, which
then exits. It holds the inherited lock, and a guardian (`guard_process`) is the parent of its
supervisor. In a container it is process 1 and must not exit early: the kernel then kills all other
processes. The workload starts before the supervisor's modules are imported, so that both happen in
parallel.
"""

import os
import signal
import sys
from typing import TYPE_CHECKING, Any

from jobs.worker import environment as _environment
from jobs.worker import process_tree
from jobs.worker.environment import (
    EXIT_ENVIRONMENT,
    EXIT_STOPPED,
    REQUESTS_VARIABLE,
    BadWorkerEnvironment,
    WorkerEnvironment,
)
from jobs.worker.guard_process import start_guardian
from jobs.worker.launch_token import hide_token
from jobs.worker.leaving import leave
from jobs.worker.process import make_scratch, start_workload
from mimir.lib.crash import crash_point

if TYPE_CHECKING:
    from jobs.worker.fork_server import Request


def main() -> int:
    """Run one attempt; return the exit code."""
    if REQUESTS_VARIABLE in os.environ:
        from jobs.worker import fork_server

        return fork_server.serve(_run_forked)
    # Process 1 of a container receives only signals that it handles. Without this handler, SIGTERM
    # would have no effect until SIGKILL.
    signal.signal(signal.SIGTERM, _stopped)
    try:
        environment = _environment.read(hide_token())
        make_scratch(environment)
    except BadWorkerEnvironment as error:
        print(f"worker: {error}", file=sys.stderr)
        return EXIT_ENVIRONMENT
    if environment.lock_descriptor is not None:
        _fork_off(environment)
    return _run(environment)


def _run_forked(request: "Request") -> int:
    """Run one attempt in a process of the fork server; return the exit code."""
    signal.signal(signal.SIGTERM, _stopped)
    try:
        environment = _environment.read(request.token_descriptor)
        make_scratch(environment)
    except BadWorkerEnvironment as error:
        print(f"worker: {error}", file=sys.stderr)
        return EXIT_ENVIRONMENT
    crash_point("worker.before_accept")
    request.accept()
    _write_pid(environment, os.getpid())
    return _run(environment)


def _run(environment: WorkerEnvironment) -> int:
    process_tree.become_supervisor()
    if environment.lock_descriptor is not None:
        assert environment.worker_dir is not None
        start_guardian(environment.worker_dir)
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

    Both write the child's pid: the parent, because the launcher expects it when the parent has
    exited; the child, in case the parent was killed.
    """
    assert environment.lock_descriptor is not None
    os.set_inheritable(environment.lock_descriptor, False)
    crash_point("worker.before_fork")
    child = os.fork()
    if child:
        crash_point("worker.after_fork")
    _write_pid(environment, child or os.getpid())
    if child:
        os._exit(0)


def _write_pid(environment: WorkerEnvironment, pid: int) -> None:
    """Write the file that `terminate` of the launcher reads."""
    assert environment.worker_dir is not None
    temporary = environment.worker_dir / f"pid.{os.getpid()}"
    temporary.write_text(str(pid))
    temporary.rename(environment.worker_dir / "pid")


if __name__ == "__main__":
    leave(main())
