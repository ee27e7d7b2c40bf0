"""What nobody needs any more is removed: objects without a row, uploads' temporary files, tokens past their time."""

import contextlib
import datetime as dt
import itertools
import os
from collections.abc import Callable, Collection

from django.conf import settings
from django.db.models import Q

from mimir.lib.clock import utc_now
from projects.models import AccessToken
from projects.storage import files as storage
from projects.storage.storage_keys import storage_keys_referenced

UNREFERENCED_AFTER = dt.timedelta(
    hours=24
)  # longer than any upload is between its object and its row
_BATCH = 500


def unreferenced_objects_sweep(
    *,
    folder: str = storage.FOLDER,
    referenced: Callable[[Collection[str]], set[str]] = storage_keys_referenced,
    older_than: dt.timedelta = UNREFERENCED_AFTER,
) -> int:
    """Delete objects below `folder` that no row points at, left by a process that died between object and row; returns how many.

    `referenced` tells which of some keys a row points at.
    """
    keys = storage.keys_older_than(utc_now() - older_than, folder=folder)
    deleted = 0
    while batch := list(itertools.islice(keys, _BATCH)):
        for key in set(batch) - referenced(batch):
            storage.object_delete(key)
            deleted += 1
    return deleted


def unfinished_uploads_sweep(*, older_than: dt.timedelta = UNREFERENCED_AFTER) -> int:
    """End uploads into a bucket whose process died in the middle; returns how many."""
    return storage.unfinished_sweep(utc_now() - older_than)


def scratch_files_sweep(*, older_than: dt.timedelta = UNREFERENCED_AFTER) -> int:
    """Delete temporary files of uploads whose server was killed, where SPOOL_DIR names a folder of our own; returns how many."""
    folder = settings.ENV.spool_dir
    if not folder or not os.path.isdir(folder):
        return 0  # of the system's temporary folder the system takes care
    before = (utc_now() - older_than).timestamp()
    deleted = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(FileNotFoundError):
                if (
                    entry.is_file(follow_symlinks=False)
                    and entry.stat(follow_symlinks=False).st_mtime < before
                ):
                    os.unlink(entry.path)
                    deleted += 1
    return deleted


def expired_tokens_sweep() -> int:
    """Delete tokens that expired a day ago or longer, and those of deactivated users; returns how many."""
    over = Q(expires_at__lt=utc_now() - dt.timedelta(days=1)) | Q(user__is_active=False)
    deleted, _ = AccessToken.objects.filter(over).delete()
    return deleted
