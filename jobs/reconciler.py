"""The reconciler: reads the rows, lists the cluster, reads the rows again, and moves each attempt one step.

Level-triggered: it works from what is, not from what it was told; a change on the cluster only makes it look sooner. `reconcile_once` is
one pass over one cluster; two of them at the same time are harmless.
"""

import threading
import time
from uuid import UUID

import structlog
from django.conf import settings
from django.db import close_old_connections, connection

from jobs.launchers.base import Launcher, Observed
from jobs.models import Cluster
from jobs.reconciliation import Action, AttemptView, Sight, Times, Verb, decide
from jobs.selectors.attempts import database_now, open_attempts
from jobs.selectors.logs import log_last_bytes
from jobs.services import reconcile as writes
from jobs.services.beats import beat_record, instance_name
from jobs.services.clusters import cluster_ensure, cluster_reached, cluster_unreachable, launcher_of
from jobs.services.housekeeping import storage_sweep
from jobs.services.lease import RECONCILER, lease_release, lease_take
from jobs.services.logs import log_seal, logs_seal_due
from jobs.services.metrics import deltas_fold
from jobs.services.retention import retention_apply
from mimir.lib.crash import crash_point

log = structlog.get_logger(__name__)
COMPONENT = "reconciler"
RETENTION_SECONDS = 20.0
SWEEP_SECONDS = 3600.0  # looking for objects without a row lists the whole storage
PASSES_AT_ONCE = 20


def reconcile_once(cluster: Cluster, launcher: Launcher) -> int:
    """One pass; returns how many attempts it moved or cleaned up."""
    before = open_attempts(cluster=cluster)
    now = database_now()
    try:
        observed = launcher.observe()
    except OSError as error:
        cluster_unreachable(cluster=cluster, message=str(error))
        raise
    crash_point("reconcile.after_list")
    cluster_reached(cluster=cluster)
    after = open_attempts(cluster=cluster)
    sights = {UUID(seen.attempt_id): seen for seen in observed if _is_uuid(seen.attempt_id)}
    moved = 0
    for attempt_id, row in after.items():
        earlier = before.get(attempt_id)
        if earlier is None or earlier.fence() != row.fence():
            continue  # it changed while we looked: only of a row that stood so before the list is the list newer
        seen = sights.get(attempt_id)
        action = decide(row, _sight(seen), now=now, times=_times())
        if action.verb is Verb.END:
            crash_point("reconcile.decided_to_end")
        moved += _act_safely(row, seen, action, launcher)
    _orphans(observed, before, after, launcher)
    return moved + _seal()


def _times() -> Times:
    env = settings.ENV
    return Times(launch_timeout=env.launch_timeout, cancel_grace=env.cancel_grace, worker_grace=env.worker_grace)


def _sight(seen: Observed | None) -> Sight | None:
    if seen is None:
        return None
    return Sight(
        alive=seen.alive,
        gone=not seen.alive and seen.processes == 0,
        exit_code=seen.exit_code,
        signal=seen.signal,
        reason=seen.reason,
        message=seen.message,
        peak_memory_bytes=seen.peak_memory_bytes,
    )


def _act_safely(row: AttemptView, seen: Observed | None, action: Action, launcher: Launcher) -> int:
    """Do it; one attempt that cannot be moved is logged and holds up nobody else."""
    if action.verb is Verb.NOTHING:
        return 0
    try:
        return int(_act(row, seen, action, launcher))
    except Exception:
        log.exception("an attempt could not be moved", attempt=row.name, verb=action.verb)
        connection.close()
        return 0


def _act(row: AttemptView, seen: Observed | None, action: Action, launcher: Launcher) -> bool:
    if action.verb is Verb.END:
        log.info("attempt ended", attempt=row.name, reason=action.reason)
        return writes.end_if_unchanged(row=row, action=action, seen=_sight(seen))
    if action.verb is Verb.FENCE:
        return writes.fence_if_unchanged(row=row)
    if action.verb is Verb.TERMINATE:
        _terminate(row, launcher)
        return False  # nothing moved yet: the next list shows whether it helped
    if action.verb is Verb.GONE:
        return _gone(row, seen, launcher)
    crash_point("clean_up.before")
    launcher.clean_up(row.name, str(row.id))
    writes.cleaned_up(attempt_id=row.id)
    return True


def _terminate(row: AttemptView, launcher: Launcher) -> None:
    """Ask first; past the grace, and for a supervisor that is dead already, kill."""
    asked = row.terminate_asked_at
    grace = _times().terminate_grace
    patient = asked is None or (database_now() - asked).total_seconds() < grace
    writes.terminate_asked(row=row)
    launcher.terminate(row.name, str(row.id), grace_seconds=grace if patient else 0.0)


def _gone(row: AttemptView, seen: Observed | None, launcher: Launcher) -> bool:
    if not launcher.is_gone(row.name, str(row.id)):
        return False
    crash_point("reconcile.seen_gone")
    if seen is not None:
        writes.log_rest_append(
            attempt_id=row.id,
            read=lambda offset: launcher.tail(row.name, str(row.id), after=log_last_bytes(row.id, offset), offset=offset),
        )
    return writes.gone_if_unchanged(row=row, seen=_sight(seen))


def _orphans(
    observed: list[Observed], before: dict[UUID, AttemptView], after: dict[UUID, AttemptView], launcher: Launcher
) -> None:
    """Worker objects with our label that no open attempt owns: left by a start that came after its attempt was cleaned up."""
    for seen in observed:
        if _is_uuid(seen.attempt_id) and (UUID(seen.attempt_id) in before or UUID(seen.attempt_id) in after):
            continue
        try:
            if launcher.is_gone(seen.name, seen.attempt_id):
                launcher.clean_up(seen.name, seen.attempt_id)
            else:
                launcher.terminate(seen.name, seen.attempt_id, grace_seconds=0.0)
        except Exception:
            log.exception("an orphan could not be removed", name=seen.name)


def _seal() -> int:
    sealed = 0
    for attempt_id in logs_seal_due(limit=50):
        try:
            sealed += int(log_seal(attempt_id=attempt_id))
        except Exception:
            log.exception("a log could not be sealed", attempt_id=str(attempt_id))
            connection.close()
    return sealed


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


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


def run(stop: threading.Event) -> None:
    """Lead or wait, until `stop`. What a pass raises is logged; the next one comes."""
    leader = Leader()
    leader.start()
    house = threading.Thread(target=_keep_house, args=(stop, leader.leads), name="housekeeping", daemon=True)
    house.start()
    while not stop.is_set():
        try:
            close_old_connections()
            beat_record(component=COMPONENT, detail={"leads": leader.leads.is_set()})
            if not leader.leads.wait(timeout=settings.ENV.reconcile_seconds):
                continue
            launcher = _passes(stop)
            launcher.wait_for_change(settings.ENV.reconcile_seconds)
        except Exception:
            log.exception("a pass failed: the next one tries again")
            connection.close()
            stop.wait(settings.ENV.reconcile_seconds)
    leader.stop()


def _passes(stop: threading.Event) -> Launcher:
    """Pass after pass while something moves: what one pass fences the next one sees gone."""
    cluster = cluster_ensure()
    launcher = launcher_of(cluster)
    for _ in range(PASSES_AT_ONCE):
        if stop.is_set() or not reconcile_once(cluster, launcher):
            break
    return launcher


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
                    storage_sweep()
        except Exception:
            log.exception("housekeeping failed: the next round tries again")
        finally:
            connection.close()
        stop.wait(RETENTION_SECONDS)
