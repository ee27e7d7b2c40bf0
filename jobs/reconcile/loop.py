"""Loops of the reconciler: the lease, a thread for each cluster, log sealing and housekeeping."""

import math
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypedDict

import structlog
from django.conf import settings
from django.db import close_old_connections, connection

from jobs.clusters.launchers.base import Launcher
from jobs.clusters.rows import cluster_ensure, launcher_forget, launcher_of
from jobs.core.metrics import deltas_fold
from jobs.lifecycle.retention import Retention
from jobs.liveness.beats import beat_record, instance_name
from jobs.liveness.connection_budget import connections_check
from jobs.logs.append import logs_seal
from jobs.models import Cluster
from jobs.reconcile.attempts import unsettled_names
from jobs.reconcile.clean_up import CleanUpThread
from jobs.reconcile.housekeeping import storage_sweep
from jobs.reconcile.known_state import KnownState
from jobs.reconcile.lease import RECONCILER, lease_release, lease_take
from jobs.reconcile.once import reconcile_once, reconcile_workers
from mimir.lib.clock import utc_now
from projects.storage import artifacts

log = structlog.get_logger(__name__)
COMPONENT = "reconciler"
RETENTION_SECONDS = 20.0
SWEEP_SECONDS = 3600.0  # it lists the whole storage
PASSES_AT_ONCE = 20
REST_SECONDS_MAX = 1.0
# A complete pass over thousands of workers takes most of a second, and finds almost nothing that
# passes over named workers do not find. Complete passes use at most this share of the time.
COMPLETE_SHARE, COMPLETE_SECONDS_MAX = 0.05, 15.0
# After a pass over changed workers, the next one waits for this many durations of that pass, to
# collect more changes. The end of a worker does not wait: only a pass frees its capacity.
SHARED_REST = 4.0
SEAL_SECONDS, SEALED_AT_ONCE = 1.0, 50
WARNING_SECONDS = 60.0  # between two warnings about one cluster


class Leader:
    """Holder of the lease. Its own thread renews it: a pass can take longer than the lease."""

    def __init__(self) -> None:
        self.leads = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lease", daemon=True)

    def start(self) -> None:
        """Start to take and renew the lease."""
        self._thread.start()

    def stop(self) -> None:
        """Release the lease."""
        self._stop.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        seconds = settings.ENV.lease_seconds
        while not self._stop.is_set():
            try:
                held = lease_take(name=RECONCILER, holder=instance_name(), seconds=seconds)
                (self.leads.set if held else self.leads.clear)()
            except Exception:
                self.leads.clear()
                log.warning("renewing the lease failed", exc_info=True)
                connection.close()
            self._stop.wait(seconds / 4)
        if self.leads.is_set():
            lease_release(name=RECONCILER, holder=instance_name())
        connection.close()


class PassFigures(TypedDict):
    """Last complete pass over one cluster, as a heartbeat stores it. `at`: ISO 8601."""

    attempts: int
    seconds: float
    at: str


@dataclass(slots=True)
class Followed:
    """Thread of one cluster, and the figures of its last complete pass for the heartbeat."""

    thread: threading.Thread | None = None
    attempts: int = 0
    seconds: float = 0.0
    at: str = ""

    def as_dict(self) -> PassFigures:
        """Return the figures of the last pass."""
        return {"attempts": self.attempts, "seconds": round(self.seconds, 3), "at": self.at}


def run(stop: threading.Event) -> None:
    """Lead or stand by until `stop`.

    Each cluster has its own thread: a cluster that does not answer does not delay the others.
    """
    leader = Leader()
    leader.start()
    for name, loop in (("housekeeping", _keep_house), ("seal logs", _seal_logs)):
        threading.Thread(target=loop, args=(stop, leader.leads), name=name, daemon=True).start()
    followed: dict[str, Followed] = {}
    is_checked = False
    while not stop.is_set():
        try:
            close_old_connections()
            passes = {name: each.as_dict() for name, each in followed.items() if each.at}
            beat_record(
                component=COMPONENT,
                detail={"leads": leader.leads.is_set(), "pid": os.getpid(), "followed": passes},
            )
            cluster_ensure()
            if not is_checked:
                is_checked = True
                connections_check()
            for name in Cluster.objects.values_list("name", flat=True):
                each = followed.setdefault(name, Followed())
                if each.thread is None or not each.thread.is_alive():
                    each.thread = threading.Thread(
                        target=_follow,
                        args=(name, stop, leader.leads, each),
                        name=f"cluster {name}",
                        daemon=True,
                    )
                    each.thread.start()
        except Exception:
            log.exception("reading the clusters failed")
            connection.close()
        stop.wait(settings.ENV.reconcile_seconds)
    leader.stop()


def _follow(name: str, stop: threading.Event, leads: threading.Event, followed: Followed) -> None:
    """Do passes over one cluster until `stop` or until its row is deleted. Log errors of a pass."""
    known, followed_by_us = KnownState(), False
    clean_ups = CleanUpThread(name)
    seconds, warned = settings.ENV.reconcile_seconds, -math.inf
    may_continue = partial(_may_continue, stop, leads)
    try:
        while not stop.is_set():
            try:
                close_old_connections()
                if not leads.wait(timeout=seconds):
                    if followed_by_us:
                        launcher_forget(name)  # stop its watches: nobody reads them
                        known, followed_by_us = KnownState(), False
                    continue
                cluster = Cluster.objects.filter(name=name).first()
                if cluster is None:
                    launcher_forget(name)
                    return
                launcher, followed_by_us = launcher_of(cluster), True
                began = time.monotonic()
                complete_pass = partial(
                    reconcile_once, cluster, launcher, known, clean_up=clean_ups.put
                )
                _repeat(may_continue, complete_pass)
                followed.attempts, followed.seconds = known.attempts, time.monotonic() - began
                followed.at = utc_now().isoformat()
                _follow_changes(cluster, launcher, known, may_continue, followed.seconds, seconds)
            except Exception as error:
                if not isinstance(error, OSError):
                    log.exception("reconcile pass failed", cluster=name)
                elif time.monotonic() - warned >= WARNING_SECONDS:
                    log.warning(
                        "cluster does not answer",
                        cluster=name,
                        error=str(error)[:300],
                    )
                    warned = time.monotonic()
                connection.close()
                known = KnownState()
                stop.wait(seconds)
    finally:
        clean_ups.close()
        connection.close()


def _may_continue(stop: threading.Event, leads: threading.Event) -> bool:
    return leads.is_set() and not stop.is_set()


def _follow_changes(
    cluster: Cluster,
    launcher: Launcher,
    known: KnownState,
    may_continue: Callable[[], bool],
    pass_seconds: float,
    seconds: float,
) -> None:
    """Do passes over the workers that change, until the next complete pass is due.

    That pass is due after `seconds`, or later if the last one took long (`pass_seconds`). In the
    second case, workers that can need an action without a change on the cluster get a pass every
    `seconds`. After a change that belongs to no single worker, the complete pass is due as soon as
    the rest after the last one is over. That rest limits the load: with thousands of workers
    something always changes, and a complete pass reads them all.
    """
    began = rest_until = time.monotonic()
    rest_seconds, complete_seconds = _rest_seconds(pass_seconds), _complete(pass_seconds, seconds)
    unsettled_at = began + (seconds if complete_seconds > seconds else math.inf)
    changed: set[str] = set()  # workers since the last pass over them
    others = False
    while may_continue():
        now = time.monotonic()
        left = began + (rest_seconds if others else complete_seconds) - now
        if left <= 0:
            return
        left, resting = min(left, max(0.0, unsettled_at - now)), max(0.0, rest_until - now)
        changes = launcher.wait_for_changes(
            min(left, resting) if resting else left, ends_only=resting > 0
        )
        others = others or changes.others
        ended = changes.ended - known.gone
        changed |= ended | (changes.names - known.gone)
        began_pass = time.monotonic()
        if began_pass >= unsettled_at:
            changed |= (unsettled_names(cluster=cluster) | known.unsettled) - known.gone
            unsettled_at = began_pass + seconds
        rested = began_pass >= rest_until
        if names := frozenset(changed if rested else ended):
            changed -= names
            _repeat(may_continue, partial(reconcile_workers, cluster, launcher, known, names=names))
            if rested:
                rest_until = time.monotonic() + _rest_seconds(time.monotonic() - began_pass)


def _complete(pass_seconds: float, seconds: float) -> float:
    """Return the seconds between two complete passes, at least `seconds`."""
    return max(seconds, min(COMPLETE_SECONDS_MAX, pass_seconds / COMPLETE_SHARE))


def _rest_seconds(pass_seconds: float) -> float:
    return min(REST_SECONDS_MAX, SHARED_REST * pass_seconds)


def _repeat(may_continue: Callable[[], bool], reconcile: Callable[[], int]) -> None:
    """Repeat a pass while attempts move: one pass fences, the next observes the worker gone."""
    for _ in range(PASSES_AT_ONCE):
        if not may_continue() or not reconcile():
            return


def _seal_logs(stop: threading.Event, leads: threading.Event) -> None:
    """Seal closed logs on a separate thread: writing objects must not delay a pass."""
    while not stop.is_set():
        try:
            while _may_continue(stop, leads) and logs_seal(limit=SEALED_AT_ONCE):
                pass
        except Exception:
            log.exception("sealing logs failed")
        finally:
            connection.close()
        stop.wait(SEAL_SECONDS)


def _keep_house(stop: threading.Event, leads: threading.Event) -> None:
    """Fold metrics, apply retention and sweep the storage, on a separate thread.

    Listing a large storage must not delay a pass.
    """
    next_sweep, retention = 0.0, Retention()
    while not stop.is_set():
        try:
            if leads.is_set():
                deltas_fold()
                retention.apply()
                if time.monotonic() >= next_sweep:
                    next_sweep = time.monotonic() + SWEEP_SECONDS
                    if problem := artifacts.problem():
                        log.error(
                            "artifact storage unusable",
                            where=artifacts.location(),
                            problem=problem,
                        )
                    storage_sweep()
        except Exception:
            log.exception("housekeeping failed")
        finally:
            connection.close()
        stop.wait(RETENTION_SECONDS)
