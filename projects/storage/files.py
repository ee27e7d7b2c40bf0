"""Files of dataset versions in the artifact storage, a folder or a bucket: written once under an id, never changed."""

import contextlib
import datetime as dt
import hashlib
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO
from uuid import UUID

import structlog
from django.conf import settings
from django.core.files import File
from django.core.files.storage import Storage, storages

from mimir.lib.disks import StorageFull, has_space, write_problem
from mimir.lib.errors import MimirError, TooLarge
from projects.storage.objects import Bucket, Facts

log = structlog.get_logger(__name__)

FOLDER = "datasets"
COPIES_AT_ONCE, COPY_WAIT_SECONDS = (
    2,
    15.0,
)  # of objects on this machine's disk: the scratch folder is sized
_copies = threading.BoundedSemaphore(COPIES_AT_ONCE)


@dataclass(frozen=True, slots=True)
class Stored:
    """A stored object: its key, size and SHA-256 in hex."""

    key: str
    size_bytes: int
    sha256: str


class _Counted(File):  # type: ignore[type-arg]
    """A file that hashes and counts what is read of it. Without the temporary path that would let a storage move the file instead."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file, name="content")
        self.digest, self.read_bytes = hashlib.sha256(), 0

    def chunks(self, chunk_size: int | None = None) -> Iterator[bytes]:
        assert self.file is not None
        while block := self.file.read(chunk_size or 1024 * 1024):
            self.digest.update(block)
            self.read_bytes += len(block)
            yield block


def artifacts() -> Storage:
    """The artifact storage."""
    return storages["artifacts"]


def scratch_dir() -> str:
    """The folder for files on their way, sized for uploads."""
    return str(settings.FILE_UPLOAD_TEMP_DIR or tempfile.gettempdir())


def object_key(project_id: UUID, version_id: UUID) -> str:
    """Where a version's file is kept: ids only, nothing that a user wrote."""
    return f"{FOLDER}/{project_id}/{version_id}"


def object_save(key: str, file: IO[bytes]) -> Stored:
    """Copy `file` from its beginning to `key`, durable when this returns."""
    file.seek(0)
    counted = _Counted(file)
    saved = object_write(key, counted)
    object_sync(saved)
    return Stored(key=saved, size_bytes=counted.read_bytes, sha256=counted.digest.hexdigest())


def object_write(key: str, content: File) -> str:  # type: ignore[type-arg]
    """Write `content` to `key`, as the storage spells it; nothing stays of what broke off in the middle."""
    try:
        return artifacts().save(key, content)
    except BaseException:
        object_discard(key)
        raise


def object_sync(key: str) -> None:
    """Contents and name on the disk: a row that outlives a power cut must not point at nothing. Other storages are durable themselves."""
    try:
        path = artifacts().path(key)
    except NotImplementedError:
        return
    for target in (path, os.path.dirname(path)):
        descriptor = os.open(target, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def object_open(key: str) -> IO[bytes]:
    """The object's bytes, not read whole. Raises: FileNotFoundError."""
    opened: IO[bytes] = artifacts().open(key, "rb")  # type: ignore[assignment]
    return opened


def object_size(key: str) -> int:
    """In bytes, as the storage has it. Raises: FileNotFoundError."""
    return artifacts().size(key)


def object_delete(key: str) -> None:
    """Harmless when it is not there."""
    artifacts().delete(key)


def object_discard(key: str) -> None:
    """Delete what no row will point at; where that fails the sweep does it, and the error that led here is the one that is told."""
    try:
        object_delete(key)
    except OSError as error:
        log.warning(
            "an object could not be removed: the sweep will", object=key, error=type(error).__name__
        )


def object_facts(key: str) -> Facts:
    """Size and time of an object as the storage has them now, within seconds. Raises: FileNotFoundError, OSError."""
    storage = artifacts()
    return (
        storage.facts(key)
        if isinstance(storage, Bucket)
        else Facts(storage.size(key), storage.get_modified_time(key))
    )


@contextlib.contextmanager
def local_path(key: str) -> Iterator[str]:
    """A path on this machine with the object's bytes: its own where the storage is a folder, else a copy for the time of the block.

    Raises, for a copy: FileNotFoundError; TooLarge for what the scratch folder is not sized for; MimirError `busy` when others copy.
    """
    try:
        path = artifacts().path(key)
    except NotImplementedError:
        if not _copies.acquire(timeout=COPY_WAIT_SECONDS):
            message = "Many files are being read right now. Try again in a few seconds."
            raise MimirError(message, code="busy", status=429, retry_after_seconds=5) from None
        try:
            with tempfile.NamedTemporaryFile(dir=scratch_dir(), prefix="mimir-object-") as copy:
                _copy(key, copy)
                yield copy.name
        finally:
            _copies.release()
        return
    yield path


def _copy(key: str, target: IO[bytes]) -> None:
    limit = settings.ENV.max_upload_bytes
    if object_size(key) > limit:
        raise TooLarge(
            f"Files above {limit:,} bytes (MAX_UPLOAD_BYTES) are not opened here. Download the file as it is, or query it in a pipeline."
        )
    with object_open(key) as source:
        shutil.copyfileobj(source, target, 1024 * 1024)
    target.flush()


def unfinished_sweep(moment: dt.datetime) -> int:
    """End uploads into the storage that began before `moment` and were never completed; returns how many. A folder has none."""
    storage = artifacts()
    return storage.unfinished_abort(moment) if isinstance(storage, Bucket) else 0


def space_check(size_bytes: int) -> None:
    """Refuse a file that does not fit before it is read: it would fill the disk for everybody else. Raises: StorageFull; a bucket never."""
    path = folder()
    if path is not None and not has_space(path, size_bytes):
        raise StorageFull


def where() -> str:
    """The folder, or the bucket and its server."""
    storage = artifacts()
    return storage.where if isinstance(storage, Bucket) else storage.path("")


def folder() -> str | None:
    """The folder of the artifact storage; None where it is a bucket."""
    storage = artifacts()
    return None if isinstance(storage, Bucket) else storage.path("")


def problem() -> str:
    """What an administrator has to mend of the storage, as a sentence; empty when it can be used."""
    storage = artifacts()
    if isinstance(storage, Bucket):
        return storage.problem()
    path = storage.path("")
    if os.access(path, os.R_OK | os.W_OK | os.X_OK):
        return write_problem(path, what="artifacts and logs", setting="ARTIFACTS_URL")
    return f"The folder {path} cannot be read and written. Mount it again, or mend its rights (ARTIFACTS_URL)."


def keys_older_than(moment: dt.datetime, *, folder: str = FOLDER) -> Iterator[str]:
    """Keys of objects below `folder` last written before `moment`."""
    storage = artifacts()
    if isinstance(storage, Bucket):
        yield from storage.older_than(moment, folder)
        return
    try:
        folders, names = storage.listdir(folder)
    except FileNotFoundError:
        return
    for name in names:
        with contextlib.suppress(FileNotFoundError):
            if storage.get_modified_time(f"{folder}/{name}") < moment:
                yield f"{folder}/{name}"
    for name in folders:
        yield from keys_older_than(moment, folder=f"{folder}/{name}")
