"""Bytes that the installation stores, and versions of its software."""

import platform
import shutil
import time
from functools import cache
from importlib import metadata

from django.db import connection

from mimir.lib.version import VERSION
from monitoring.state_types import StorageState
from projects.models import VersionSource
from projects.storage import artifacts

# Versions that jobs wrote share the object of their artifact, so only uploads are added. One pass
# over two narrow columns, cached.
_SIZES = """
SELECT coalesce((SELECT sum(size_bytes) FROM jobs_artifact), 0)
     + coalesce((SELECT sum(size_bytes) FROM projects_datasetversion WHERE source = %s), 0),
    pg_database_size(current_database()),
    coalesce((SELECT sum(log_end) FROM jobs_attempt), 0)
"""
# The sums are kept for KEEP_FACTOR times as long as the database needed for them, within bounds: a
# large installation spends at most 1% of its time on them.
KEEP_SECONDS_MIN, KEEP_SECONDS_MAX, KEEP_FACTOR = 30.0, 600.0, 100.0
LIBRARIES = (
    "django",
    "djangorestframework",
    "channels",
    "rq",
    "uvicorn",
    "psycopg",
    "pyarrow",
    "duckdb",
    "scikit-learn",
    "skops",
)
# Monotonic time until which the sums are kept, and the sums.
_kept: tuple[float, tuple[int, int, int]] | None = None


def stored() -> StorageState:
    """Return bytes of artifacts, uploads, database and logs, and the disk space of artifacts.

    Sums are at most KEEP_SECONDS_MAX old, and KEEP_SECONDS_MIN where adding them is quick. The
    space is None for a bucket, or an unreadable folder.
    """
    artifact_bytes, database_bytes, log_bytes = _sizes()
    total, free = _disk()
    return {
        "artifact_bytes": artifact_bytes,
        "artifact_free_bytes": free,
        "artifact_total_bytes": total,
        "database_bytes": database_bytes,
        "log_bytes": log_bytes,
    }


def _sizes() -> tuple[int, int, int]:
    global _kept
    if _kept is None or time.monotonic() >= _kept[0]:
        began = time.monotonic()
        with connection.cursor() as cursor:
            cursor.execute(_SIZES, [VersionSource.UPLOAD])
            artifact_bytes, database, logs = cursor.fetchone()
        ended = time.monotonic()
        until = ended + keep_seconds(ended - began)
        _kept = (until, (int(artifact_bytes), int(database), int(logs)))
    return _kept[1]


def keep_seconds(read_seconds: float) -> float:
    """Return for how long sums are kept that took `read_seconds` to read. Pure."""
    return min(KEEP_SECONDS_MAX, max(KEEP_SECONDS_MIN, KEEP_FACTOR * read_seconds))


def _disk() -> tuple[int | None, int | None]:
    try:
        usage = shutil.disk_usage(artifacts.backend().path(""))
    except (NotImplementedError, OSError):
        return None, None
    return usage.total, usage.free


@cache
def versions() -> dict[str, str]:
    """Return the versions of Mimir, Python and the libraries of this process."""
    found: dict[str, str] = {"mimir": VERSION, "python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
