"""Full and read-only disks: system errors as messages, and a probe that detects them early."""

import errno
import os
import tempfile
from pathlib import Path

from mimir.lib.errors import MimirError

FULL = frozenset((errno.ENOSPC, errno.EDQUOT))
READ_ONLY = frozenset((errno.EROFS, errno.EACCES, errno.EPERM))
_PROBE_BYTES = 64 * 1024
# below this a disk counts as full: the next request would fill it
_FREE_BYTES_MIN = 8 * 1024 * 1024
_RETRY_SECONDS = 30


class StorageFull(MimirError):
    """The disk is full. Status 507. The same request works once there is space."""

    status, code = 507, "storage_full"

    def __init__(self) -> None:
        message = (
            "The server's disk is full. Nothing was changed. Ask an administrator to free space, "
            "then retry."
        )
        super().__init__(message, retry_after_seconds=_RETRY_SECONDS)


class StorageReadOnly(MimirError):
    """Files cannot be written. Status 503."""

    status, code = 503, "storage_read_only"

    def __init__(self) -> None:
        message = (
            "The server cannot write its files. Nothing was changed. Ask an administrator to fix "
            "its storage, then retry."
        )
        super().__init__(message, retry_after_seconds=_RETRY_SECONDS)


def as_storage_error(error: BaseException | None) -> MimirError | None:
    """Return the error for a full or read-only disk as `error` or its cause; else None."""
    for found in (error, getattr(error, "__cause__", None)):
        if isinstance(found, OSError) and not isinstance(found, MimirError):
            if found.errno in FULL:
                return StorageFull()
            if found.errno in READ_ONLY:
                return StorageReadOnly()
    return None


def write_problem(folder: str, *, what: str, setting: str) -> str:
    """Return why `folder` cannot be written now; an empty string if it can.

    what: the content of the folder. setting: the setting that names it.
    """
    error = unwritable(folder)
    if error is not None and error.errno in FULL:
        return f"The disk for {what} is full ({setting}). Free space on it, or mount a larger one."
    if error is not None:
        return (
            f"The folder for {what} cannot be written ({setting}): {error.strerror}. Check its "
            "mount and its permissions."
        )
    free = os.statvfs(folder)
    if free.f_blocks and free.f_bavail * free.f_frsize < _FREE_BYTES_MIN:
        return (
            f"The disk for {what} is almost full ({setting}). Free space on it, or mount a larger "
            "one."
        )
    return ""


def has_space(folder: str, size_bytes: int) -> bool:
    """Whether `size_bytes` fit on the disk of `folder`, with the reserve left free.

    True if the disk does not report its free space.
    """
    place = Path(folder)
    try:
        facts = os.statvfs(next(one for one in (place, *place.parents) if one.exists()))
    except OSError:
        return True
    return not facts.f_blocks or facts.f_bavail * facts.f_frsize >= size_bytes + _FREE_BYTES_MIN


def storage_problem(folder: str | Path) -> MimirError | None:
    """Return the error for a folder that cannot be written; None if it can.

    For a child process that ended without a reason.
    """
    return as_storage_error(unwritable(folder))


def unwritable(folder: str | Path) -> OSError | None:
    """Return the system error of writing a small file to `folder`; None if it works."""
    try:
        with tempfile.TemporaryFile(dir=folder, prefix=".mimir-probe-") as probe:
            probe.write(bytes(_PROBE_BYTES))
            probe.flush()
    except OSError as error:
        return error
    return None
