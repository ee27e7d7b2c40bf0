"""Readiness checks of the orchestrator: database, migrations, disks.

Without Redis, the orchestrator is degraded but ready: everything works more slowly.
"""

import threading
import time
from typing import Any

import psycopg
import redis
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, Error, connections
from django.db.migrations.executor import MigrationExecutor

from jobs.clusters.launchers.base import LauncherKind
from mimir.lib.disks import write_problem
from projects.storage import artifacts

DATABASE_SECONDS = 2  # the minimum of libpq
REDIS_SECONDS = 0.5
_migrated = threading.Event()  # migrations are not undone under a running release


def own_connection() -> "psycopg.Connection[tuple[Any, ...]]":
    """Return a connection outside the pool, because the pool waits longer than a probe does.

    Raises: psycopg.Error, after at most DATABASE_SECONDS without an answer.
    """
    given = connections[DEFAULT_DB_ALIAS].get_connection_params()
    given.pop("pool", None)
    return psycopg.connect(**{**given, "connect_timeout": DATABASE_SECONDS})


def database_problem() -> str:
    """Return why the database does not answer; an empty text if it does."""
    try:
        with own_connection() as connection:
            connection.execute("SELECT 1")
    except psycopg.Error as error:
        return f"The database does not answer ({type(error).__name__})."
    return ""


def migrations_problem() -> str:
    """Return which migrations of this release are missing; an empty text for none."""
    if _migrated.is_set():
        return ""
    if database_problem():
        return "Unknown: the database does not answer."
    try:
        executor = MigrationExecutor(connections[DEFAULT_DB_ALIAS])
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except Error as error:
        return f"The migrations cannot be read ({type(error).__name__})."
    if plan:
        return f"{len(plan)} migrations are not applied: run manage.py migrate."
    _migrated.set()
    return ""


def redis_problem() -> str:
    """Return why Redis does not answer within half a second; an empty text if it does."""
    began = time.monotonic()
    client = redis.Redis.from_url(
        settings.ENV.redis_url, socket_timeout=REDIS_SECONDS, socket_connect_timeout=REDIS_SECONDS
    )
    try:
        client.ping()
    except (redis.RedisError, OSError) as error:
        seconds = time.monotonic() - began
        return (
            f"Redis does not answer ({type(error).__name__}, {seconds:.1f} s). Jobs start later "
            "and pages update more slowly. No data is lost."
        )
    finally:
        client.close()
    return ""


def disks_problem() -> str:
    """Return which folder of this installation is full or read-only; else an empty text.

    Buckets are only checked for pages.
    """
    folders = [(artifacts.scratch_dir(), "uploads", "SPOOL_DIR")]
    if (artifacts_dir := artifacts.folder()) is not None:
        folders.insert(0, (artifacts_dir, "artifacts and logs", "ARTIFACTS_URL"))
    if settings.ENV.launcher == LauncherKind.PROCESS:
        folders.append((settings.ENV.workers_dir, "workers", "WORKERS_DIR"))
    return " ".join(
        filter(
            None,
            (
                write_problem(folder, what=what, setting=setting)
                for folder, what, setting in folders
            ),
        )
    )
