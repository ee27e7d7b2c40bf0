"""Files of dataset versions in the artifact storage: written once under an id, never changed."""

import contextlib
import datetime as dt
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO
from uuid import UUID

from django.conf import settings
from django.core.files import File
from django.core.files.storage import Storage, storages

FOLDER = "datasets"


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
        object_delete(key)
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


@contextlib.contextmanager
def local_path(key: str) -> Iterator[str]:
    """A path on this machine with the object's bytes: its own where the storage is a folder, else a copy for the time of the block."""
    try:
        path = artifacts().path(key)
    except NotImplementedError:
        with tempfile.NamedTemporaryFile(dir=scratch_dir(), prefix="mimir-object-") as copy, object_open(key) as source:
            shutil.copyfileobj(source, copy, 1024 * 1024)
            copy.flush()
            yield copy.name
        return
    yield path


def keys_older_than(moment: dt.datetime, *, folder: str = FOLDER) -> Iterator[str]:
    """Keys of objects below `folder` last written before `moment`."""
    storage = artifacts()
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
