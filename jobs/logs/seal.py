"""Seal closed logs: turn their chunk rows into one seekable object, and sweep orphaned objects.

Each try writes an object under its own name and makes it durable. One transaction then sets the
pointer if it is null and deletes the rows. Two sealers never write to one name, and the loser
removes only its own object.
"""

import datetime as dt
import gzip
import itertools
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import structlog
from django.core.files.base import File
from django.db import connection, transaction
from django.db.models import Q

from jobs.core import feed
from jobs.logs.store import WINDOW_BYTES, LogDamaged, LogIndex, chunk_pieces
from jobs.models import Attempt, LogChunk
from mimir.lib.clock import utc_now
from mimir.lib.crash import crash_point
from projects.storage import artifacts

log = structlog.get_logger(__name__)

ROOT = "logs"
POINT_WITHIN_SECONDS = (
    1800  # an object is referenced within this time or never; the sweep waits twice as long
)
RETRY_SECONDS = 60  # back-off after a failure, to let other logs be sealed
_GZIP_LEVEL = 6
_BATCH = 500


def logs_seal(*, limit: int) -> int:
    """Seal at most `limit` closed logs, oldest attempts first; return the number sealed.

    A failure is logged and does not affect the other logs.
    """
    sealed = 0
    for attempt_id in _due(limit):
        try:
            sealed += int(log_seal(attempt_id=attempt_id))
        except Exception:
            log.exception("sealing a log failed", attempt_id=str(attempt_id))
            connection.close()
    return sealed


def _due(limit: int) -> list[UUID]:
    due = Attempt.objects.filter(
        Q(log_seal_not_before__isnull=True) | Q(log_seal_not_before__lte=utc_now()),
        log_closed_at__isnull=False,
        log_object__isnull=True,
    )
    return list(due.order_by("created_at").values_list("id", flat=True)[:limit])


def log_seal(*, attempt_id: UUID) -> bool:
    """Seal a closed log; return whether this call did it.

    False means that the log is open or already sealed. Memory is bounded by one block.

    Raises: OSError of the storage; LogDamaged. The log then stays in its rows and is retried later.
    """
    row = Attempt.objects.values("log_end", "log_closed_at", "log_object").get(id=attempt_id)
    if row["log_closed_at"] is None or row["log_object"] is not None:
        return False
    crash_point("log.after_close_before_seal")
    name = _object_name(attempt_id)
    index = _Index()
    try:
        _write_durably(name, index.blocks_of(attempt_id, row["log_end"]))
        crash_point("log.seal_reader")
        crash_point("log.after_object_before_pointer")
        won = _point_to(attempt_id, name, index)
    except (OSError, LogDamaged):
        artifacts.discard(name)
        if Attempt.objects.filter(id=attempt_id, log_object__isnull=False).exists():
            return False  # another sealer was faster and deleted the rows
        Attempt.objects.filter(id=attempt_id).update(
            log_seal_not_before=utc_now() + dt.timedelta(seconds=RETRY_SECONDS)
        )
        raise
    if not won:
        artifacts.discard(name)
    return won


def log_objects_sweep(older_than_seconds: float) -> int:
    """Remove unreferenced objects not written for the given time; return the number removed."""
    names = artifacts.keys_older_than(
        utc_now() - dt.timedelta(seconds=older_than_seconds), folder=ROOT
    )
    removed = 0
    while batch := list(itertools.islice(names, _BATCH)):
        referenced = set(
            Attempt.objects.filter(log_object__in=batch).values_list("log_object", flat=True)
        )
        removed += sum(_remove_unreferenced(name) for name in batch if name not in referenced)
    return removed


class _Index:
    """Index of a sealed log. Records the offsets of each block while the blocks are written."""

    def __init__(self) -> None:
        self.blocks: list[list[int]] = []
        self.size = 0
        self.end = 0

    def blocks_of(self, attempt_id: UUID, end: int) -> Iterator[bytes]:
        """Yield the gzip members of the log [0, end), about 1 MiB of log each."""
        while self.end < end:
            pieces = chunk_pieces(attempt_id, self.end, min(end, self.end + WINDOW_BYTES))
            if not pieces:
                raise LogDamaged(f"attempt {attempt_id}: no rows after {self.end}")
            member = gzip.compress(b"".join(piece.data for piece in pieces), _GZIP_LEVEL, mtime=0)
            self.blocks.append([self.end, self.size, pieces[0].first_line])
            self.size += len(member)
            self.end = pieces[-1].end
            yield member

    def as_json(self) -> LogIndex:
        """Return the index as `Attempt.log_index` stores it."""
        return {"version": 1, "size": self.size, "blocks": self.blocks}


class _Stream(File):  # type: ignore[type-arg]
    """File object that yields blocks as they are produced, without a copy of the log."""

    def __init__(self, blocks: Iterator[bytes], name: str) -> None:
        super().__init__(None, name)
        self._blocks = blocks

    def chunks(self, chunk_size: int | None = None) -> Iterator[bytes]:
        return self._blocks


def _object_name(attempt_id: UUID) -> str:
    """Return a unique object name.

    Attempt ids start with their time, so their ends are used to spread objects over 256 folders.
    """
    return f"{ROOT}/{attempt_id.hex[-2:]}/{attempt_id}.{uuid.uuid4().hex}.cri.gz"


def _write_durably(name: str, blocks: Iterator[bytes]) -> None:
    saved = artifacts.backend().save(name, _Stream(blocks, name))
    if saved != name:
        artifacts.discard(saved)
        raise OSError(f"the object {name} already exists")
    try:
        path = Path(artifacts.backend().path(name))
    except NotImplementedError:
        return  # not a local file: an object store answers only when the object is durable
    root = Path(artifacts.backend().path(""))
    for entry in (path, *(parent for parent in path.parents if parent.is_relative_to(root))):
        _fsync(entry)


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _point_to(attempt_id: UUID, name: str, index: _Index) -> bool:
    """Set `log_object` if null and delete the rows, atomically; return whether it was set."""
    with transaction.atomic():
        won = Attempt.objects.filter(
            id=attempt_id, log_object__isnull=True, log_closed_at__isnull=False, log_end=index.end
        ).update(log_object=name, log_index=index.as_json())
        if not won:
            return False
        _check_object(name, index)
        LogChunk.objects.filter(attempt_id=attempt_id).delete()
        feed.publish_log(job_id=Attempt.objects.values_list("job_id", flat=True).get(id=attempt_id))
    return True


def _check_object(name: str, index: _Index) -> None:
    """Check that the object exists with its full size and is too young to be swept.

    Costs one request to a bucket, at most a few seconds. Raises: OSError.
    """
    found = artifacts.metadata(name)
    if found.size_bytes != index.size:
        raise OSError(
            f"the object {name} has {found.size_bytes} bytes and {index.size} were written"
        )
    if found.modified_at < utc_now() - dt.timedelta(seconds=POINT_WITHIN_SECONDS):
        raise OSError(f"the object {name} is so old that the sweep can remove it")


def _remove_unreferenced(name: str) -> bool:
    """Remove the object unless its attempt references it, checked under the row's lock.

    The object is too old to be referenced later.
    """
    try:
        attempt_id = UUID(Path(name).name.partition(".")[0])
    except ValueError:
        return False  # not an object of this module
    with transaction.atomic():
        row = Attempt.objects.select_for_update().filter(id=attempt_id).values("log_object").first()
        if row is not None and row["log_object"] == name:
            return False
    artifacts.delete(name)
    log.info("unreferenced log object removed", object=name)
    return True
