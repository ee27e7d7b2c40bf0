"""Incremental SHA-256 of growing logs. `finish` then does not read up to 2 GiB again.

hashlib cannot export its state, so the hash lives in this process. Each append committed by this
process is added if it continues the hashed bytes. After a restart, or after appends by another
process, the missing part is read from the store once. Stored bytes never change, so the hash of
the first N bytes stays valid.
"""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

ENTRIES_MAX = 512  # most recently used hashes, a few hundred bytes each


@dataclass(slots=True)
class _Hash:
    end: int = 0
    sha256: Any = field(default_factory=hashlib.sha256)


_hashes: OrderedDict[UUID, _Hash] = OrderedDict()
_lock = threading.Lock()


def stored(attempt_id: UUID, start: int, data: bytes) -> None:
    """Add committed `data` at `start` to the hash.

    Ignored unless it continues the hashed bytes; `digest` then reads it from the store.
    """
    with _lock:
        entry = _hashes.get(attempt_id)
        if entry is None:
            if start:
                return
            entry = _hashes[attempt_id] = _Hash()
            while len(_hashes) > ENTRIES_MAX:
                _hashes.popitem(last=False)
        _hashes.move_to_end(attempt_id)
        if entry.end != start:
            return
        entry.sha256.update(data)
        entry.end += len(data)


def digest(attempt_id: UUID, end: int, read: Callable[[int], Iterator[bytes]]) -> str:
    """Return the hex SHA-256 of the first `end` stored bytes.

    `read(offset)` streams the bytes from `offset` to `end`.
    """
    with _lock:
        entry = _hashes.get(attempt_id)
        usable = entry is not None and entry.end <= end
        begin = entry.end if entry is not None and usable else 0
        sha256 = entry.sha256.copy() if entry is not None and usable else hashlib.sha256()
    for data in read(begin):
        sha256.update(data)
    with _lock:  # lets a repeated finish continue from here
        entry = _hashes.setdefault(attempt_id, _Hash())
        if entry.end < end:
            entry.end, entry.sha256 = end, sha256.copy()
        while len(_hashes) > ENTRIES_MAX:
            _hashes.popitem(last=False)
    return str(sha256.hexdigest())
