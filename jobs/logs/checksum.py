"""The SHA-256 of a growing log, kept going in this process, so that `finish` need not read 2 GiB again.

A hash cannot be stored half-way (hashlib gives no state out), so it lives here: each append that this process committed is added when it
follows on. After a restart, or when another process took some of the appends, the missing part is read from the store once. What is
stored never changes, so a hash of the first N bytes stays right for ever.
"""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

KEPT = 512  # hashes of the attempts that moved last; each is some hundred bytes


@dataclass(slots=True)
class _Hash:
    end: int = 0
    sha256: Any = field(default_factory=hashlib.sha256)


_hashes: OrderedDict[UUID, _Hash] = OrderedDict()
_lock = threading.Lock()


def stored(attempt_id: UUID, start: int, data: bytes) -> None:
    """Say that `data` is committed at `start`. Ignored when it does not follow on what is hashed: the store has it."""
    with _lock:
        kept = _hashes.get(attempt_id)
        if kept is None:
            if start:
                return
            kept = _hashes[attempt_id] = _Hash()
            while len(_hashes) > KEPT:
                _hashes.popitem(last=False)
        _hashes.move_to_end(attempt_id)
        if kept.end != start:
            return
        kept.sha256.update(data)
        kept.end += len(data)


def digest(attempt_id: UUID, end: int, read: Callable[[int], Iterator[bytes]]) -> str:
    """Hex SHA-256 of the first `end` stored bytes; `read(offset)` streams those from `offset` to `end`."""
    with _lock:
        kept = _hashes.get(attempt_id)
        usable = kept is not None and kept.end <= end
        begin = kept.end if kept is not None and usable else 0
        sha256 = kept.sha256.copy() if kept is not None and usable else hashlib.sha256()
    for data in read(begin):
        sha256.update(data)
    with _lock:  # a repeated finish starts from here
        kept = _hashes.setdefault(attempt_id, _Hash())
        if kept.end < end:
            kept.end, kept.sha256 = end, sha256.copy()
        while len(_hashes) > KEPT:
            _hashes.popitem(last=False)
    return str(sha256.hexdigest())
