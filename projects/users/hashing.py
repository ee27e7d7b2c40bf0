"""Password hashing, a few at a time on threads of low priority, so that sign-ins of strangers slow nobody who is signed in.

A hash takes a quarter of a second of a core. While it runs no database connection is held. Beyond WAITING_MAX sign-ins, or SIGN_INS_AT_ONCE
of one address, the answer is 429 at once.
"""

import contextlib
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import ParamSpec, TypeVar

from django.db import connection

from mimir.lib.clients import SIGN_INS_AT_ONCE
from mimir.lib.errors import TooMany

AT_ONCE = 2
WAITING_MAX = 12  # hashes that run or wait, of everybody
RETRY_SECONDS = 2
NICENESS = 10

P = ParamSpec("P")
T = TypeVar("T")

_lock = threading.Lock()
_held = threading.local()  # `slot` is set while this thread has one
_waiting: Counter[str] = Counter()


def hashed(address: str, function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """What `function`, which hashes a password, returns. `address`: the client's, or "" for our own commands. Raises: TooMany."""
    with hash_slot(address):
        give_connection_back()
        return _pool().submit(function, *arguments, **named).result()


def give_connection_back() -> None:
    """Return this thread's database connection to the pool; the next query takes another. Not inside a transaction."""
    if not connection.in_atomic_block:
        connection.close()


@contextlib.contextmanager
def hash_slot(address: str) -> Iterator[None]:
    """Reserve a place in the queue for a hash, for this thread. Reserved first, it refuses a burst before any query. Raises: TooMany."""
    if getattr(_held, "slot", False):
        yield
        return
    with _lock:
        if _waiting.total() >= WAITING_MAX or _waiting[address] >= SIGN_INS_AT_ONCE:
            raise TooMany(
                "Too many sign-ins at once. Try again in a moment.",
                code="busy",
                retry_after_seconds=RETRY_SECONDS,
            )
        _waiting[address] += 1
    _held.slot = True
    try:
        yield
    finally:
        _held.slot = False
        with _lock:
            _waiting[address] -= 1
            if not _waiting[address]:
                del _waiting[address]


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(AT_ONCE, thread_name_prefix="password", initializer=_lower_priority)


def _lower_priority() -> None:
    """Of this thread alone, where the system has priorities of threads (Linux)."""
    with contextlib.suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
