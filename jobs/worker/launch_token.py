"""Launch token of the attempt, kept outside of memory until the workload exists.

A workload may be a fork of the supervisor (`forked_workload`), and a fork has a copy of all memory.
Until then the token is in a pipe.
"""

import ctypes
import os
import select

NAME = "JOB_TOKEN"
_MASK = ord("x")


def hide_token() -> int | None:
    """Move the token from the environment into a pipe; return its read end, or None without one.

    Both copies of its bytes are overwritten: the environment that /proc shows, and the only Python
    object that has them. /proc hides the environment of a process that is not dumpable from
    everybody but root, and the worker may run as root.
    """
    value = os.environb.get(NAME.encode(), b"")
    if not value:
        return None
    read_end, write_end = os.pipe()
    os.write(write_end, value)
    os.close(write_end)
    _overwrite_variable()
    if len(value) > 1:  # objects of one byte are shared
        ctypes.memset(id(value) + bytes.__basicsize__ - 1, _MASK, len(value))
    return read_end


def _overwrite_variable() -> None:
    libc = ctypes.CDLL(None)
    libc.getenv.restype = ctypes.c_void_p
    address = libc.getenv(NAME.encode())
    if address:
        ctypes.memset(address, _MASK, len(ctypes.string_at(address)))


def read_token(descriptor: int) -> str:
    """Read the token and close the pipe."""
    token = os.read(descriptor, select.PIPE_BUF)
    os.close(descriptor)
    return token.decode()
