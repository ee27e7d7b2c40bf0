"""Client of the fork server, which forks workers from a process that has their modules imported.

A launcher has one server, started before the first launch and again when it has ended. The server
has a socket to this process and ends when that closes. `jobs/worker/fork_server.py` describes it,
`mimir/lib/fork_protocol.py` its requests.
"""

import contextlib
import os
import select
import socket
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from mimir.lib.fork_protocol import request_fork

ANSWER_SECONDS = 10.0  # a server that takes longer is replaced
RETRY_SECONDS = 60.0  # from the last failed request to the next start of a server
# A forked worker can show as much environment in /proc as the server was started with.
SPACE_VARIABLE, SPACE_BYTES = "WORKER_ENVIRONMENT_SPACE", 8192
REQUESTS_VARIABLE = "WORKER_REQUESTS_FD"


class WorkerStart(NamedTuple):
    """Start of a worker. `lock`, `console`: descriptors of its lock and of its stderr."""

    folder: Path
    environment: Mapping[str, str]
    token: str
    lock: int
    console: int


class _Server(NamedTuple):
    """Running server and our end of its socket."""

    process: subprocess.Popen[bytes]
    requests: socket.socket

    def is_alive(self) -> bool:
        """Return whether the other end of the socket is open. The server never sends anything."""
        poll = select.poll()
        poll.register(self.requests, select.POLLIN)
        return not poll.poll(0)

    def end(self) -> None:
        """Kill the server. Its workers keep running."""
        self.requests.close()
        self.process.kill()
        self.process.wait()


class ForkServer:
    """Fork server of one launcher. Thread-safe."""

    def __init__(self, argv: Sequence[str], environment: Mapping[str, str], folder: Path) -> None:
        """`argv`, `environment`, `folder`: of the server's process. None of them has a secret."""
        self._argv, self._folder = list(argv), folder
        self._environment = {**environment, SPACE_VARIABLE: "x" * SPACE_BYTES}
        self._changing = threading.Lock()
        self._server: _Server | None = None
        self._not_before = 0.0
        self._closed = False

    def prepare(self) -> None:
        """Start the server, unless it runs. This does not wait for the server's imports."""
        self._running()

    def start(self, wanted: WorkerStart) -> int | None:
        """Start a worker; return the pid of its first process.

        None: the worker has no process and gets none from the server. The caller must start it in
        another way.
        """
        for _ in range(2):  # a server that ended is started again once
            server = self._running()
            if server is None:
                return None
            try:
                pid = _ask(server.requests, wanted)
            except TimeoutError:
                self._replace(server)
                break
            except OSError:  # for example no more descriptors: the caller reports it if it lasts
                break
            if pid is not None:
                return pid
        self._not_before = time.monotonic() + RETRY_SECONDS
        return None

    def close(self) -> None:
        """End the server for good."""
        with self._changing:
            self._closed = True
            server, self._server = self._server, None
        if server is not None:
            server.end()

    def _running(self) -> _Server | None:
        """Return the server, started again if it has ended; None if it must not run now."""
        with self._changing:
            if self._server is not None and self._server.is_alive():
                return self._server
            if self._server is not None:
                self._server.end()
                self._server = None
            if not self._closed and time.monotonic() >= self._not_before:
                with contextlib.suppress(OSError):
                    self._server = self._started()
            return self._server

    def _started(self) -> _Server:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            ours.settimeout(ANSWER_SECONDS)
            process = subprocess.Popen(
                self._argv,
                cwd=self._folder,
                env={**self._environment, REQUESTS_VARIABLE: str(theirs.fileno())},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        return _Server(process, ours)

    def _replace(self, server: _Server) -> None:
        """End a server that does not answer; the next start finds none."""
        with self._changing:
            if self._server is server:
                self._server = None
        server.end()


def _ask(requests: socket.socket, wanted: WorkerStart) -> int | None:
    """Send a request; return the pid of the forked process, None if there is none.

    Raises: TimeoutError, OSError.
    """
    token_read, token_write = os.pipe()
    try:
        os.write(token_write, wanted.token.encode())
        os.close(token_write)
        return request_fork(
            requests,
            [token_read, wanted.lock, wanted.console],
            {"folder": str(wanted.folder), "environment": dict(wanted.environment)},
            timeout_seconds=ANSWER_SECONDS,
        )
    finally:
        os.close(token_read)
