"""Fork server: a process that imports the worker's modules once and forks workers on request.

The process launcher starts it with the argv of a worker and `WORKER_REQUESTS_FD`
(`jobs/clusters/launchers/fork_server.py`). It saves each worker the start of an interpreter and the
imports. It exits when its launcher exits, because the launcher's socket then closes.

A request (`mimir/lib/fork_protocol.py`) carries four descriptors, in this order: the socket to the
launcher, a pipe with the launch token, the worker's lock, and the worker's stderr. Its line is
{"folder", "environment"}.
"""

import json
import os
import signal
import socket
import sys
from collections.abc import Callable
from typing import NamedTuple

from jobs.worker import process_tree
from jobs.worker.environment import REQUESTS_VARIABLE, SHOWN_FIRST
from jobs.worker.forked_workload import add_site_packages
from jobs.worker.leaving import leave
from mimir.lib.crash import crash_point
from mimir.lib.fork_protocol import answer, import_shared, read_body, serve_requests
from mimir.lib.proc_entries import replace_environment

# Modules of every worker, and of workloads that are forked.
PRELOADED = (
    "jobs.worker.attempt",
    "jobs.worker.workload",
    "jobs.worker.pipeline_execution.run",
    "jobs.worker.pipelines.steps.command",
    "jobs.worker.pipelines.steps.read",
    "jobs.worker.pipelines.steps.sql",
    "jobs.worker.pipelines.steps.write",
    "encodings.idna",  # `socket` imports it to connect
)
# Imported after the first fork. The import takes longer than all other work of a short job, and its
# memory (12 MB) is not needed before there are jobs.
PRELOADED_LATER = ("duckdb",)
REQUEST_DESCRIPTORS = 4
EXIT_UNUSABLE, EXIT_REFUSED = 1, 2


class Request(NamedTuple):
    """Request of the launcher, received by the forked process."""

    connection: socket.socket
    token_descriptor: int

    def accept(self) -> None:
        """Commit to run the worker; exit if the launcher does not wait for it any more."""
        try:
            answer(self.connection)
            self.connection.close()
        except OSError:
            os._exit(EXIT_REFUSED)


def serve(run: Callable[[Request], int]) -> int:
    """For each request, fork a process that calls `run`.

    Returns the exit code of the server: 0 when the launcher has disconnected.
    """
    process_tree.become_private()
    requests = socket.socket(fileno=int(os.environ.pop(REQUESTS_VARIABLE)))
    requests.set_inheritable(False)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps the workers
    add_site_packages()
    if not import_shared(PRELOADED):
        return EXIT_UNUSABLE
    sys.dont_write_bytecode = True  # user code will run beside the forked processes
    can_fork = serve_requests(
        requests,
        lambda descriptors: _fork(requests, descriptors, run),
        descriptors=REQUEST_DESCRIPTORS,
        imported_later=PRELOADED_LATER,
    )
    return 0 if can_fork else EXIT_UNUSABLE


def _fork(requests: socket.socket, descriptors: list[int], run: Callable[[Request], int]) -> None:
    """Fork the worker's first process. If that fails, the launcher notices: its socket closes."""
    crash_point("worker.before_fork")
    try:
        child = os.fork()
    except OSError:  # too many processes
        return
    if not child:
        code = EXIT_UNUSABLE
        try:
            requests.close()
            code = run(_received(descriptors))
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else EXIT_UNUSABLE
        except BaseException:
            import traceback  # slow to import, and rarely needed

            traceback.print_exc()
        finally:
            leave(code)
    crash_point("worker.after_fork")


def _received(descriptors: list[int]) -> Request:
    """Read the rest of a request and become the process that it describes."""
    connection, token, lock, console = descriptors
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    os.dup2(console, 2)
    os.close(console)
    stream = socket.socket(fileno=connection)
    body = json.loads(read_body(stream))
    os.chdir(body["folder"])
    variables = {**body["environment"], "WORKER_LOCK_FD": str(lock)}
    replace_environment(variables, shown_first=SHOWN_FIRST)
    return Request(stream, token)
