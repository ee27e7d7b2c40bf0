"""Workload as a fork of its supervisor, for job types without slow imports.

It saves the start of a second interpreter. The fork happens before the supervisor has a token, a
thread or a connection, so the copied memory has no secret.
"""

import importlib
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, NoReturn

from jobs.worker import process_tree
from jobs.worker.environment import SHOWN_FIRST
from jobs.worker.leaving import leave
from mimir.lib.proc_entries import replace_environment, show_command

_SITE = "site"  # imported by the interpreter itself, unless it is started with -S


class Streams(NamedTuple):
    """Descriptors of the workload: its end of the channel, and its stdout and stderr."""

    channel: int
    stdout: int
    stderr: int


class ForkedProcess:
    """Child process, with the part of the interface of `subprocess.Popen` that its owner uses."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._code: int | None = None

    def poll(self) -> int | None:
        """Reap the process if it has ended; return its exit code, negative for a signal."""
        if self._code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._code = os.waitstatus_to_exitcode(status)
        return self._code

    @property
    def returncode(self) -> int:
        """Exit code of the ended process."""
        assert self._code is not None
        return self._code


def add_site_packages() -> None:
    """Make installed libraries importable, although the supervisor was started without them.

    Harmless when repeated.
    """
    if _SITE in sys.modules:
        return
    site = importlib.import_module(_SITE)
    site.main()


def fork_workload(variables: Mapping[str, str], folder: Path, streams: Streams) -> ForkedProcess:
    """Fork a process that runs the workload in `folder`."""
    supervisor = os.getpid()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if not pid:
        _run(supervisor, variables, folder, streams)
    return ForkedProcess(pid)


def _run(supervisor: int, variables: Mapping[str, str], folder: Path, streams: Streams) -> NoReturn:
    """Bring this process to the state of a fresh interpreter, run the workload and exit.

    Control must not return to the supervisor's frames: their objects own descriptors that are
    closed here.
    """
    code = 1
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        process_tree.die_with_parent(supervisor)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(streams.stdout, 1)
        os.dup2(streams.stderr, 2)
        process_tree.close_descriptors(keep=(0, 1, 2, streams.channel))
        os.chdir(folder)
        replace_environment(variables, shown_first=SHOWN_FIRST)
        show_command("jobs.worker.workload")
        process_tree.become_dumpable()
        add_site_packages()
        from jobs.worker.workload import run_workload

        code = run_workload(streams.channel)
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:
        import traceback  # slow to import, and rarely needed

        traceback.print_exc()
    finally:
        leave(code)
