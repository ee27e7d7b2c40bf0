"""Password hashing, a few at a time on threads with low priority.

A hash takes a quarter of a second of one core. Sign-ins of other people must not slow down
signed-in users. No database connection is held during a hash. Above WAITING_MAX sign-ins, or
SIGN_INS_AT_ONCE of one address, the answer is 429 immediately.
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
from mimir.lib.request_slot import slot_release

AT_ONCE = 2
WAITING_MAX = 12  # hashes that run or wait, of all clients
RETRY_SECONDS = 2
NICENESS = 10

P = ParamSpec("P")
T = TypeVar("T")

_lock = threading.Lock()
_held = threading.local()  # `slot` is set while this thread has one
_waiting: Counter[str] = Counter()


def hashed(address: str, function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """Call `function`, which hashes a password, in the pool and return its result.

    `address` is the client's, or "" for a command. Raises: TooMany.
    """
    with hash_slot(address):
        give_connection_back()
        return _pool().submit(function, *arguments, **named).result()


def give_connection_back() -> None:
    """Return this thread's database connection to the pool, unless it is in a transaction.

    The next query takes another one. The request's slot is released, too.
    """
    if not connection.in_atomic_block:
        connection.close()
        slot_release()


@contextlib.contextmanager
def hash_slot(address: str) -> Iterator[None]:
    """Reserve a place in the queue for this thread. Raises: TooMany.

    A place that is reserved before any query refuses a burst without load on the database.
    """
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
    """Lower the priority of this thread, on systems that have one for threads (Linux)."""
    with contextlib.suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
