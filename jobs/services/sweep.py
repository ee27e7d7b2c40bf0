"""Removing what a process that was killed left in the artifact storage: files of a job that no row knows."""

import datetime as dt
from collections.abc import Iterator
from pathlib import PurePosixPath
from uuid import UUID

import structlog
from django.core.files.storage import storages

from jobs.models import Artifact
from mimir.lib.clock import utc_now
from projects.selectors import storage_keys_referenced

log = structlog.get_logger(__name__)
ROOT = "artifacts"  # <ROOT>/<project id>/<attempt id>/<a name of its own>: see the worker API


def artifact_objects_sweep(*, older_than: dt.timedelta) -> int:
    """Delete artifacts' files without a row: of uploads whose server died, of jobs whose deletion did. Returns how many.

    `older_than` has to be longer than any upload is between its file and its row.
    """
    before = utc_now() - older_than
    removed = 0
    for folder in _folders():
        keys = {key for key in _files(folder) if _older(key, before)}
        for key in keys - _known(folder, keys):
            storages["artifacts"].delete(key)
            log.info("an artifact's file without a row was removed", object=key)
            removed += 1
    return removed


def _folders() -> Iterator[str]:
    """One for each attempt that left anything."""
    for project in _listed(ROOT)[0]:
        for attempt in _listed(f"{ROOT}/{project}")[0]:
            yield f"{ROOT}/{project}/{attempt}"


def _files(folder: str) -> Iterator[str]:
    for name in _listed(folder)[1]:
        yield f"{folder}/{name}"


def _listed(folder: str) -> tuple[list[str], list[str]]:
    try:
        return storages["artifacts"].listdir(folder)
    except FileNotFoundError:
        return [], []


def _older(key: str, before: dt.datetime) -> bool:
    try:
        return storages["artifacts"].get_modified_time(key) < before
    except FileNotFoundError:
        return False


def _known(folder: str, keys: set[str]) -> set[str]:
    """Those that a row points at: an attempt's artifact, or the version of a dataset it became."""
    if not keys:
        return set()
    try:
        attempt_id = UUID(PurePosixPath(folder).name)
    except ValueError:
        return keys  # not ours
    ours = Artifact.objects.filter(attempt_id=attempt_id, storage_key__in=keys).values_list("storage_key", flat=True)
    return set(ours) | storage_keys_referenced(keys)
