"""Limits on concurrent parsing children: in all, for each kind, for each user and each project.

One slot is reserved for uploads and another for uploads and previews, so that long descriptions and
conversions cannot block other people. Waiting is limited, too: the server refuses a user with
several waiting requests immediately.
"""

import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum

from mimir.lib.errors import TooMany

WAIT_SECONDS = 15.0
_RETRY_SECONDS = 5.0


class Busy(TooMany):
    """Too many files are being read, or this machine has no space for one. Answered with 429."""

    code = "busy"


class Kind(StrEnum):
    """The purpose of a child."""

    UPLOAD = "upload"
    PREVIEW = "preview"
    LONG = "long"  # descriptions of columns, conversions
    DEFINITION = "definition"


@dataclass(frozen=True, slots=True)
class Owner:
    """The user and the project of a request. An empty value is not limited."""

    user: str = ""
    project: str = ""


@dataclass(slots=True)
class Slots:
    """At most `total` children at once.

    `shares` limits the children of several kinds together, `each` those of one kind for one user or
    project, and `waiting` the requests of one user that wait at the same time.
    """

    total: int
    shares: tuple[tuple[frozenset[Kind], int], ...]
    each: Mapping[Kind, int]
    waiting: int = 4
    _running: Counter[Kind] = field(default_factory=Counter)
    _owned: Counter[tuple[Kind, str, str]] = field(default_factory=Counter)
    _waiting: Counter[str] = field(default_factory=Counter)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    @contextmanager
    def held(self, kind: Kind, owner: Owner, wait_seconds: float) -> Iterator[None]:
        """Hold a slot during the block. Raises: Busy."""
        self._acquire(kind, owner, wait_seconds)
        try:
            yield
        finally:
            with self._changed:
                self._count(kind, owner, -1)
                self._changed.notify_all()

    def _acquire(self, kind: Kind, owner: Owner, wait_seconds: float) -> None:
        end = time.monotonic() + wait_seconds
        with self._changed:
            if owner.user and self._waiting[owner.user] >= self.waiting:
                raise Busy(
                    "Several of your requests are already waiting. Try again when they are done.",
                    retry_after_seconds=_RETRY_SECONDS,
                )
            self._waiting[owner.user] += 1
            try:
                while not self._free(kind, owner):
                    if (
                        not self._changed.wait(max(0.0, end - time.monotonic()))
                        and time.monotonic() >= end
                    ):
                        raise Busy(self._reason(kind, owner), retry_after_seconds=_RETRY_SECONDS)
                self._count(kind, owner, 1)
            finally:
                self._waiting[owner.user] -= 1
                if self._waiting[owner.user] <= 0:
                    del self._waiting[owner.user]

    def _free(self, kind: Kind, owner: Owner) -> bool:
        if sum(self._running.values()) >= self.total or self._owner_is_busy(kind, owner):
            return False
        return all(
            sum(self._running[member] for member in members) < most
            for members, most in self.shares
            if kind in members
        )

    def _owner_is_busy(self, kind: Kind, owner: Owner) -> bool:
        return any(self._owned[key] >= self.each[kind] for key in _keys(kind, owner))

    def _count(self, kind: Kind, owner: Owner, change: int) -> None:
        self._running[kind] += change
        for key in _keys(kind, owner):
            self._owned[key] += change
            if self._owned[key] <= 0:
                del self._owned[key]

    def _reason(self, kind: Kind, owner: Owner) -> str:
        if self._owner_is_busy(kind, owner):
            return (
                "Other files of yours, or of this project, are still being read."
                " Try again when they are done."
            )
        return "Too many files are being read. Try again in a few seconds."


def _keys(kind: Kind, owner: Owner) -> list[tuple[Kind, str, str]]:
    return [
        (kind, scope, name)
        for scope, name in (("user", owner.user), ("project", owner.project))
        if name
    ]


def file_slots() -> Slots:
    """Return slots for reading table files: one for uploads only, one for uploads and previews."""
    not_uploads = frozenset({Kind.PREVIEW, Kind.LONG})
    return Slots(
        4,
        ((not_uploads, 3), (frozenset({Kind.LONG}), 2)),
        {Kind.UPLOAD: 2, Kind.PREVIEW: 2, Kind.LONG: 1},
    )


def definition_slots() -> Slots:
    """Return slots for checks of definitions. These are small and end within seconds."""
    return Slots(3, (), {Kind.DEFINITION: 1})
