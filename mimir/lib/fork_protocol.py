"""Protocol between a fork server and its client: both ends.

A fork server imports modules once, and forks a process for each request of its client. A request is
one message that contains only file descriptors. The first one is a stream socket to the client,
from which the forked process reads the rest of the request: one line of JSON. The server itself
never reads the environment variables, such as passwords, so a later fork cannot leak them.

The forked process answers with its pid. This is the commit: before it, the client can stop waiting,
and the answer then fails; after it, the process runs. The server exits when the client closes its
end of the request socket.
"""

import gc
import importlib
import json
import os
import socket
from collections.abc import Callable, Mapping, Sequence

ANSWER_BYTES = 32  # a pid is shorter


def import_shared(names: Sequence[str]) -> bool:
    """Import modules for all forked processes, and exclude them from garbage collection.

    False: a module started a thread, which a fork would not have. The server must not fork then.
    """
    for name in names:
        importlib.import_module(name)
    if len(os.listdir("/proc/self/task")) > 1:
        return False
    gc.collect()
    gc.freeze()
    return True


def serve_requests(
    requests: socket.socket,
    fork: Callable[[list[int]], None],
    *,
    descriptors: int,
    imported_later: Sequence[str] = (),
) -> bool:
    """Call `fork` with the descriptors of each request until the client disconnects.

    A request with another number of descriptors is ignored. A forked process never returns.
    `imported_later`: modules to import after the first fork. Returns False if one of them started
    a thread.
    """
    while True:
        _message, received, *_ = socket.recv_fds(requests, 1, descriptors, socket.MSG_CMSG_CLOEXEC)
        if len(received) == descriptors:
            fork(received)
        elif not received:
            return True
        for descriptor in received:
            os.close(descriptor)
        if imported_later and not import_shared(imported_later):
            return False
        imported_later = ()


def read_body(stream: socket.socket) -> bytes:
    """Read the line with the rest of a request.

    Raises: ConnectionError if the client closed the socket before the end of the line.
    """
    line = b""
    while not line.endswith(b"\n"):
        piece = stream.recv(65536)
        if not piece:
            raise ConnectionError("the request is incomplete")
        line += piece
    return line


def answer(stream: socket.socket) -> None:
    """Commit to running: send the pid of this process.

    Raises: OSError if the client no longer waits for it.
    """
    stream.sendall(str(os.getpid()).encode())


def request_fork(
    requests: socket.socket,
    descriptors: Sequence[int],
    body: Mapping[str, object],
    *,
    timeout_seconds: float | None,
) -> int | None:
    """Send a request with `descriptors` after its socket; return the pid of the forked process.

    None: no process runs, and none can start: after the shutdown of our end no answer can arrive.
    Raises: TimeoutError if the server does not answer, OSError if no descriptor is free.
    """
    ours, theirs = socket.socketpair()
    with ours:
        ours.settimeout(timeout_seconds)
        timed_out = False
        try:
            socket.send_fds(requests, [b"r"], [theirs.fileno(), *descriptors])
            theirs.close()
            ours.sendall(json.dumps(body).encode() + b"\n")
            pid = ours.recv(ANSWER_BYTES)
        except TimeoutError:
            timed_out, pid = True, b""
        except OSError:  # the server or the forked process has ended
            pid = b""
        finally:
            theirs.close()
        if not pid:
            pid = _last_answer(ours)
    if not pid and timed_out:
        raise TimeoutError
    return int(pid) if pid else None


def _last_answer(ours: socket.socket) -> bytes:
    """Refuse answers from now on; return one that arrived before."""
    try:
        ours.shutdown(socket.SHUT_RD)
        return ours.recv(ANSWER_BYTES)
    except OSError:
        return b""
