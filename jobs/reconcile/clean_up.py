"""Removal of the objects of gone workers, on a thread of its own for each cluster.

A removal is a request to the cluster or a folder on a disk. Hundreds of them must not delay the
pass that frees the capacity of the next worker.
"""

import threading
from queue import SimpleQueue
from uuid import UUID

import structlog
from django.db import connection

from jobs.clusters.launchers.base import Launcher
from jobs.reconcile.apply import clean_up_record
from jobs.reconcile.decide import AttemptView
from mimir.lib.crash import crash_point

log = structlog.get_logger(__name__)


def clean_up(launcher: Launcher, row: AttemptView) -> None:
    """Remove the object of a worker that is gone and whose log is sealed, and record that.

    Neither fact can change back, so a late removal is as safe as an immediate one. A failure is
    logged: the next complete pass retries.
    """
    try:
        crash_point("clean_up.before")
        launcher.clean_up(row.name, str(row.id))
        clean_up_record(attempt_id=row.id)
    except OSError as error:
        log.warning("removing a worker failed", attempt=row.name, error=str(error)[:300])
    except Exception:
        log.exception("removing a worker failed", attempt=row.name)
        connection.close()


class CleanUpThread:
    """Calls `clean_up` in the order of `put`, on a thread that the first `put` starts.

    The next `put` replaces a thread that failed.
    """

    def __init__(self, cluster: str) -> None:
        self._cluster = cluster
        self._work: SimpleQueue[tuple[Launcher, AttemptView] | None] = SimpleQueue()
        self._pending: set[UUID] = set()
        self._thread: threading.Thread | None = None

    def put(self, launcher: Launcher, row: AttemptView) -> None:
        """Remove a worker soon, unless that is pending already."""
        if row.id in self._pending:
            return
        self._pending.add(row.id)
        self._work.put((launcher, row))
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(
                target=self._run, name=f"clean up {self._cluster}", daemon=True
            )
            self._thread.start()

    def close(self) -> None:
        """End the thread after the removals that are pending."""
        self._work.put(None)

    def _run(self) -> None:
        while (each := self._work.get()) is not None:
            launcher, row = each
            try:
                clean_up(launcher, row)
            finally:
                self._pending.discard(row.id)
            if self._work.empty():
                connection.close()
