"""The loops: the lease, a thread for each cluster, and housekeeping."""

import math
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog
from django.conf import settings
from django.db import close_old_connections, connection

from jobs.clusters.launchers.base import Launcher
from jobs.clusters.rows import cluster_ensure, launcher_forget, launcher_of
from jobs.core.metrics import deltas_fold
from jobs.lifecycle.retention import retention_apply
from jobs.liveness.beats import beat_record, instance_name
from jobs.models import Cluster
from jobs.reconcile.housekeeping import storage_sweep
from jobs.reconcile.known_state import Memory
from jobs.reconcile.lease import RECONCILER, lease_release, lease_take
from jobs.reconcile.once import reconcile_once
from mimir.lib.clock import utc_now
from projects.storage import artifacts

log = structlog.get_logger(__name__)
COMPONENT = "reconciler"
RETENTION_SECONDS = 20.0
SWEEP_SECONDS = 3600.0  # looking for objects without a row lists the whole storage
PASSES_AT_ONCE = 20
REST_SECONDS_MAX = 1.0
COMPLAINT_SECONDS = 60.0  # between two of the same about a cluster that does not answer


class Leader:
    """Holds the lease by a thread of its own, since a pass may take longer than the lease lasts."""

    def __init__(self) -> None:
        self.leads = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lease", daemon=True)

    def start(self) -> None:
        """Begin to take and renew the lease."""
        self._thread.start()

    def stop(self) -> None:
        """Let the lease go."""
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
                log.warning("the lease could not be renewed", exc_info=True)
                connection.close()
            self._stop.wait(seconds / 4)
        if self.leads.is_set():
            lease_release(name=RECONCILER, holder=instance_name())
        connection.close()


@dataclass(slots=True)
class Followed:
    """One cluster's thread, and what its last whole pass found; told in the heartbeat."""

    thread: threading.Thread | None = None
    attempts: int = 0
    seconds: float = 0.0
    at: str = ""

    def told(self) -> dict[str, Any]:
        return {"attempts": self.attempts, "seconds": round(self.seconds, 3), "at": self.at}


def run(stop: threading.Event) -> None:
    """Lead or wait, until `stop`. A cluster has a thread of its own: one that does not answer holds up no other."""
    leader = Leader()
    leader.start()
    threading.Thread(
        target=_keep_house, args=(stop, leader.leads), name="housekeeping", daemon=True
    ).start()
    followed: dict[str, Followed] = {}
    while not stop.is_set():
        try:
            close_old_connections()
            told = {name: each.told() for name, each in followed.items() if each.at}
            beat_record(
                component=COMPONENT,
                detail={"leads": leader.leads.is_set(), "pid": os.getpid(), "followed": told},
            )
            cluster_ensure()
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
            log.exception("the clusters could not be read: the next round tries again")
            connection.close()
        stop.wait(settings.ENV.reconcile_seconds)
    leader.stop()


def _follow(name: str, stop: threading.Event, leads: threading.Event, followed: Followed) -> None:
    """Passes over one cluster for as long as its row is there. What a pass raises is logged; the next one comes."""
    memory, followed_by_us = Memory(), False
    seconds, complained = settings.ENV.reconcile_seconds, -math.inf
    try:
        while not stop.is_set():
            try:
                close_old_connections()
                if not leads.wait(timeout=seconds):
                    if followed_by_us:
                        launcher_forget(name)  # its watches would gather what nobody looks at
                        memory, followed_by_us = Memory(), False
                    continue
                cluster = Cluster.objects.filter(name=name).first()
                if cluster is None:
                    launcher_forget(name)
                    return
                launcher, followed_by_us = launcher_of(cluster), True
                began = time.monotonic()
                _passes(cluster, launcher, memory, partial(_may_go_on, stop, leads))
                followed.attempts, followed.seconds = memory.attempts, time.monotonic() - began
                followed.at = utc_now().isoformat()
                stop.wait(
                    min(REST_SECONDS_MAX, 4 * (time.monotonic() - began))
                )  # with thousands of workers something always changes
                launcher.wait_for_change(seconds)
            except Exception as error:
                if not isinstance(error, OSError):
                    log.exception("a pass failed: the next one tries again", cluster=name)
                elif time.monotonic() - complained >= COMPLAINT_SECONDS:
                    log.warning(
                        "a cluster does not answer: each pass asks again",
                        cluster=name,
                        error=str(error)[:300],
                    )
                    complained = time.monotonic()
                connection.close()
                memory = Memory()
                stop.wait(seconds)
    finally:
        connection.close()


def _may_go_on(stop: threading.Event, leads: threading.Event) -> bool:
    return leads.is_set() and not stop.is_set()


def _passes(
    cluster: Cluster, launcher: Launcher, memory: Memory, may_go_on: Callable[[], bool]
) -> None:
    """Pass after pass while something moves: what one pass fences the next one sees gone."""
    for _ in range(PASSES_AT_ONCE):
        if not may_go_on() or not reconcile_once(cluster, launcher, memory):
            return


def _keep_house(stop: threading.Event, leads: threading.Event) -> None:
    """Counts folded, retention and sweeps, on a thread of their own: looking over a large storage must not hold up a pass."""
    next_sweep = 0.0
    while not stop.is_set():
        try:
            if leads.is_set():
                deltas_fold()
                retention_apply()
                if time.monotonic() >= next_sweep:
                    next_sweep = time.monotonic() + SWEEP_SECONDS
                    if problem := artifacts.problem():
                        log.error(
                            "the artifact storage cannot be used",
                            where=artifacts.location(),
                            problem=problem,
                        )
                    storage_sweep()
        except Exception:
            log.exception("housekeeping failed: the next round tries again")
        finally:
            connection.close()
        stop.wait(RETENTION_SECONDS)
