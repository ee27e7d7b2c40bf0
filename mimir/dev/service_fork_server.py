"""Fork server of an installation: forks web, the loops and commands from one process.

It imports their modules once, with the settings of the orchestrator. The forked processes share
this memory, and save the start of an interpreter and the imports. `mimir/dev/service_forks.py` is
its client. It ends with the supervisor, whose end of the socket then closes.

A request (`mimir/lib/fork_protocol.py`) carries two descriptors: the socket to the supervisor, and
the output of the new process. Its line is {"argv", "environment", "folder"}.

The forked process is a grandchild whose parent ends at once: it becomes a child of the supervisor,
which is a subreaper. Then it answers.
"""

import json
import os
import runpy
import socket
import sys
from collections.abc import Sequence
from typing import TypedDict

from mimir.dev.paths import MARKER
from mimir.lib.crash import crash_point
from mimir.lib.fork_protocol import answer, import_shared, read_body, serve_requests
from mimir.lib.garbage_collection import collect_less_often
from mimir.lib.proc_entries import replace_environment, show_command

REQUESTS_VARIABLE = "MIMIR_FORK_REQUESTS_FD"
# Modules that the forked processes import. They open nothing and start no thread.
PRELOADED = (
    "mimir.asgi_orchestrator",  # the first: it sets Django up
    "jobs.management.commands.dispatcher",
    "jobs.management.commands.reconciler",
    "jobs.management.commands.release_workers",
    "mimir.urls_orchestrator",
    "projects.management.commands.bootstrap_admin",
    "uvicorn.lifespan.on",
)
REQUEST_DESCRIPTORS = 2
EXIT_UNUSABLE, EXIT_REFUSED = 1, 2


class ForkRequest(TypedDict):
    """Process to fork. `argv` begins with the interpreter; `folder` is the working folder."""

    argv: list[str]
    environment: dict[str, str]
    folder: str


def main() -> int:
    """Import, then fork a process for each request; return when the supervisor has gone."""
    requests = socket.socket(fileno=int(os.environ.pop(REQUESTS_VARIABLE)))
    requests.set_inheritable(False)
    sys.argv = sys.argv[:1]  # the settings depend on the name of a command
    collect_less_often()
    if not import_shared(PRELOADED):
        return EXIT_UNUSABLE
    serve_requests(
        requests,
        lambda descriptors: _fork(requests, descriptors),
        descriptors=REQUEST_DESCRIPTORS,
    )
    return 0


def _fork(requests: socket.socket, descriptors: list[int]) -> None:
    """Fork a process. If that fails, the supervisor notices: its socket closes.

    Raises only in the forked process: the exception of its program, such as SystemExit.
    """
    crash_point("service.before_fork")
    adopted_read, adopted_write = os.pipe()
    try:
        middle = os.fork()
    except OSError:  # too many processes, or no memory
        middle = -1
    if not middle:
        _fork_again()
        requests.close()
        os.close(adopted_write)
        if not os.read(adopted_read, 1):  # the server was killed
            os._exit(EXIT_REFUSED)
        os.close(adopted_read)
        _run(_become_requested(descriptors))
    if middle > 0:
        os.waitpid(middle, 0)
        os.write(adopted_write, b"1")
        crash_point("service.after_fork")
    os.close(adopted_read)
    os.close(adopted_write)


def _fork_again() -> None:
    """Return in a child of this process, and end this process."""
    try:
        child = os.fork()
    except OSError:
        os._exit(EXIT_UNUSABLE)
    if child:
        os._exit(0)


def _become_requested(descriptors: list[int]) -> list[str]:
    """Become the requested process; return its command line.

    Exits if the supervisor does not wait for it any more.
    """
    connection, output = descriptors
    os.setsid()
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    with socket.socket(fileno=connection) as stream:
        try:
            body: ForkRequest = json.loads(read_body(stream))
            os.chdir(body["folder"])
            replace_environment(body["environment"], shown_first=[MARKER])
            show_command(*body["argv"])
            crash_point("service.before_accept")
            answer(stream)
        except OSError:
            os._exit(EXIT_REFUSED)
    return body["argv"]


def _run(argv: Sequence[str]) -> None:
    """Run `python -m module …` or `python file …` in this process, and exit as it does."""
    _interpreter, *program = argv
    if program[0] == "-m":
        sys.argv = program[1:]
        runpy.run_module(program[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = program
        runpy.run_path(program[0], run_name="__main__")
    sys.exit(0)


if __name__ == "__main__":
    sys.exit(main())
