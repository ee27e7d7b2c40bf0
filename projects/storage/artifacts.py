"""Objects in the artifact storage, a folder or a bucket. Each is written once and never changed."""

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
from projects.storage.bucket import Bucket
from projects.storage.bucket_reader import ObjectMetadata

log = structlog.get_logger(__name__)

FOLDER = "datasets"
# Copies of objects on this machine's disk. The scratch folder is sized for this number.
COPIES_AT_ONCE = 2
COPY_WAIT_SECONDS = 15.0
_copies = threading.BoundedSemaphore(COPIES_AT_ONCE)


@dataclass(frozen=True, slots=True)
class Stored:
    """A stored object: its key, size and SHA-256 in hex."""

    key: str
    size_bytes: int
    sha256: str


class _HashingFile(File):  # type: ignore[type-arg]
    """A file that hashes and counts the bytes read from it.

    It hides the temporary path, by which a storage would move the file instead of reading it.
    """

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file, name="content")
        self.digest, self.read_bytes = hashlib.sha256(), 0

    def chunks(self, chunk_size: int | None = None) -> Iterator[bytes]:
        assert self.file is not None
        while block := self.file.read(chunk_size or 1024 * 1024):
            self.digest.update(block)
            self.read_bytes += len(block)
            yield block


def backend() -> Storage:
    """Return the configured Django storage for artifacts."""
    return storages["artifacts"]


def scratch_dir() -> str:
    """Return the folder for temporary files. It is sized for uploads."""
    return str(settings.FILE_UPLOAD_TEMP_DIR or tempfile.gettempdir())


def object_key(project_id: UUID, version_id: UUID) -> str:
    """Return the key of a version's file. It holds ids only, never text that a user wrote."""
    return f"{FOLDER}/{project_id}/{version_id}"


def put(key: str, file: IO[bytes]) -> Stored:
    """Copy `file` from its beginning to `key`. The object is durable when this returns."""
    file.seek(0)
    hashing = _HashingFile(file)
    saved = write(key, hashing)
    sync(saved)
    return Stored(key=saved, size_bytes=hashing.read_bytes, sha256=hashing.digest.hexdigest())


def write(key: str, content: File) -> str:  # type: ignore[type-arg]
    """Write `content` and return the key that the storage used. A failed write stores no object."""
    try:
        return backend().save(key, content)
    except BaseException:
        discard(key)
        raise


def sync(key: str) -> None:
    """Flush a file and its folder to disk. Other storages are durable when `save` returns.

    A row that survives a power failure must not refer to a lost file.
    """
    try:
        path = backend().path(key)
    except NotImplementedError:
        return
    for target in (path, os.path.dirname(path)):
        descriptor = os.open(target, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def open_file(key: str) -> IO[bytes]:
    """Open an object for reading as a stream. Raises: FileNotFoundError."""
    opened: IO[bytes] = backend().open(key, "rb")  # type: ignore[assignment]
    return opened


def size(key: str) -> int:
    """Return the stored size of an object in bytes. Raises: FileNotFoundError."""
    return backend().size(key)


def delete(key: str) -> None:
    """Delete an object. A missing object is not an error."""
    backend().delete(key)


def discard(key: str) -> None:
    """Delete an object that no row will refer to; log a failure instead of raising it.

    The sweep deletes the object later. The error that the caller handles stays visible.
    """
    try:
        delete(key)
    except OSError as error:
        log.warning(
            "could not delete an unreferenced object; the sweep will retry",
            object=key,
            error=type(error).__name__,
        )


def metadata(key: str) -> ObjectMetadata:
    """Return size and modification time, with short timeouts.

    Raises: FileNotFoundError, OSError.
    """
    storage = backend()
    if isinstance(storage, Bucket):
        return storage.metadata(key)
    return ObjectMetadata(storage.size(key), storage.get_modified_time(key))


@contextlib.contextmanager
def local_path(key: str) -> Iterator[str]:
    """Provide a local path of an object: its file in a folder storage, else a temporary copy.

    Raises, for a copy: FileNotFoundError; TooLarge above MAX_UPLOAD_BYTES, for which the scratch
    folder is not sized; MimirError `busy` while COPIES_AT_ONCE other copies exist.
    """
    try:
        path = backend().path(key)
    except NotImplementedError:
        if not _copies.acquire(timeout=COPY_WAIT_SECONDS):
            message = "Too many files are being read. Try again in a few seconds."
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
    if size(key) > limit:
        raise TooLarge(
            f"The file is larger than {limit:,} bytes (MAX_UPLOAD_BYTES) and cannot be opened here."
            " Download the original file, or query it in a pipeline."
        )
    with open_file(key) as source:
        shutil.copyfileobj(source, target, 1024 * 1024)
    target.flush()


def abort_unfinished(moment: dt.datetime) -> int:
    """Abort incomplete uploads to a bucket that began before `moment`; return their number."""
    storage = backend()
    return storage.abort_unfinished(moment) if isinstance(storage, Bucket) else 0


def check_space(size_bytes: int) -> None:
    """Refuse a file that does not fit on the disk, before it is read.

    Without this check, one large file fills the disk for everybody. A bucket has no limit.

    Raises: StorageFull.
    """
    path = folder()
    if path is not None and not has_space(path, size_bytes):
        raise StorageFull


def location() -> str:
    """Return the folder, or the bucket with its server."""
    storage = backend()
    return storage.location if isinstance(storage, Bucket) else storage.path("")


def folder() -> str | None:
    """Return the folder of the artifact storage; None if it is a bucket."""
    storage = backend()
    return None if isinstance(storage, Bucket) else storage.path("")


def problem() -> str:
    """Return the problem an administrator must fix, as a sentence; empty if the storage works."""
    storage = backend()
    if isinstance(storage, Bucket):
        return storage.problem()
    path = storage.path("")
    if os.access(path, os.R_OK | os.W_OK | os.X_OK):
        return write_problem(path, what="artifacts and logs", setting="ARTIFACTS_URL")
    return (
        f"Cannot read and write the folder {path} (ARTIFACTS_URL)."
        " Mount it again, or fix its permissions."
    )


def keys_older_than(moment: dt.datetime, *, folder: str = FOLDER) -> Iterator[str]:
    """Yield keys of objects below `folder` that were last written before `moment`."""
    storage = backend()
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
