"""Delete unreferenced objects, old temporary files of uploads and expired tokens."""

import contextlib
import datetime as dt
import itertools
import os
from collections.abc import Callable, Collection

from django.conf import settings
from django.db.models import Q

from mimir.lib.clock import utc_now
from projects.models import AccessToken
from projects.storage import artifacts
from projects.storage.references import storage_keys_referenced

UNREFERENCED_AFTER = dt.timedelta(hours=24)  # longer than any upload takes until its row exists
_BATCH = 500


def unreferenced_objects_sweep(
    *,
    folder: str = artifacts.FOLDER,
    referenced: Callable[[Collection[str]], set[str]] = storage_keys_referenced,
    older_than: dt.timedelta = UNREFERENCED_AFTER,
) -> int:
    """Delete objects below `folder` that no row refers to; return their number.

    A process that dies between writing an object and its row leaves one. `referenced` returns
    those of the given keys that a row refers to.
    """
    keys = artifacts.keys_older_than(utc_now() - older_than, folder=folder)
    deleted = 0
    while batch := list(itertools.islice(keys, _BATCH)):
        for key in set(batch) - referenced(batch):
            artifacts.delete(key)
            deleted += 1
    return deleted


def unfinished_uploads_sweep(*, older_than: dt.timedelta = UNREFERENCED_AFTER) -> int:
    """Abort incomplete uploads to a bucket whose process died; return their number."""
    return artifacts.abort_unfinished(utc_now() - older_than)


def scratch_files_sweep(*, older_than: dt.timedelta = UNREFERENCED_AFTER) -> int:
    """Delete temporary files of uploads whose server was killed; return their number.

    Only the folder of SPOOL_DIR is cleaned. The system cleans its own temporary folder.
    """
    folder = settings.ENV.spool_dir
    if not folder or not os.path.isdir(folder):
        return 0
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
    """Delete tokens of deactivated users and tokens expired for a day; return their number."""
    over = Q(expires_at__lt=utc_now() - dt.timedelta(days=1)) | Q(user__is_active=False)
    deleted, _ = AccessToken.objects.filter(over).delete()
    return deleted
