"""Client of the fork server of an installation (`mimir/dev/service_fork_server.py`).

Without it, or if it does not answer, the supervisor starts an interpreter for each process.
"""

import contextlib
import ctypes
import os
import socket
import subprocess
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from mimir.dev.service_fork_server import REQUESTS_VARIABLE, ForkRequest
from mimir.lib.fork_protocol import request_fork

IMPORT_SECONDS = 30.0  # until the first answer
ANSWER_SECONDS = 5.0
POLL_SECONDS = 0.02
# Forked processes write their environment and command line over those of the server, as far as they
# fit: the server starts with long ones.
SPACE_VARIABLE, SPACE_BYTES = "MIMIR_ENVIRONMENT_SPACE", 1024
SHOWN_ARGUMENTS = ("web", "dispatcher", "reconciler", "and", "commands", "of", "one", "supervisor")
_PR_SET_CHILD_SUBREAPER = 36
_ENDED_CHILD = os.WEXITED | os.WNOHANG | os.WNOWAIT


class AdoptedProcess:
    """A forked process, which is our child, with the interface of `subprocess.Popen`."""

    def __init__(self, pid: int, argv: Sequence[str]) -> None:
        self.pid, self._argv = pid, argv
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Reap the process if it has ended; return its exit code, negative for a signal."""
        if self.returncode is None:
            try:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:  # our parent ignores SIGCHLD: as `subprocess` reports it
                self.returncode = 0
            else:
                self.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end; return the exit code. Raises: subprocess.TimeoutExpired."""
        began = time.monotonic()
        while (code := self.poll()) is None:
            if timeout is not None and time.monotonic() - began > timeout:
                raise subprocess.TimeoutExpired(self._argv, timeout)
            time.sleep(POLL_SECONDS)
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal, unless the process has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)


class ServiceForks:
    """Fork server of one supervisor. It is started once: if it ends, restarts need an interpreter.

    This process becomes a subreaper, so it adopts the workers of a dispatcher that died as well.
    """

    def __init__(self, environment: Mapping[str, str], folder: Path, log: Path) -> None:
        """`environment`, `folder`: those of the server, and of every process that it forks."""
        self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._requests.settimeout(IMPORT_SECONDS)
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        with theirs, log.open("ab") as output:
            self._server = subprocess.Popen(
                [sys.executable, "-m", "mimir.dev.service_fork_server", *SHOWN_ARGUMENTS],
                cwd=folder,
                env={
                    **environment,
                    SPACE_VARIABLE: "x" * SPACE_BYTES,
                    REQUESTS_VARIABLE: str(theirs.fileno()),
                },
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Process id of the server."""
        return self._server.pid

    def fork(self, request: ForkRequest, output: int) -> AdoptedProcess | None:
        """Start a process with `output` as its stdout and stderr.

        None: the process does not run and will not. The caller must start it in another way.
        """
        try:
            pid = request_fork(
                self._requests, [output], request, timeout_seconds=self._requests.gettimeout()
            )
        except TimeoutError:
            self.close()
            return None
        except OSError:  # the server has ended, or for example no descriptor is free
            return None
        if pid is None:
            return None
        self._requests.settimeout(ANSWER_SECONDS)
        return AdoptedProcess(pid, request["argv"])

    def reap_others(self, known: Collection[int]) -> None:
        """Reap processes that ended after this process adopted them, except `known` ones."""
        with contextlib.suppress(ChildProcessError):
            while ended := os.waitid(os.P_ALL, 0, _ENDED_CHILD):
                if ended.si_pid in known or ended.si_pid == self.pid:
                    return  # its owner reaps it; the others follow later
                os.waitpid(ended.si_pid, 0)

    def close(self) -> None:
        """End the server. What it forked keeps running. Idempotent."""
        self._requests.close()
        self._server.kill()
        self._server.wait()
