"""One pass over one cluster."""

import datetime as dt
from collections.abc import Mapping, Sequence
from functools import partial
from uuid import UUID

import structlog
from django.conf import settings
from django.db import connection

from jobs.clusters.launchers.base import Launcher, Observation
from jobs.clusters.rows import cluster_reached, cluster_unreachable
from jobs.contract import FailureReason
from jobs.diagnosis.kubernetes import Diagnosis
from jobs.logs.append import log_seal, logs_seal_due
from jobs.logs.read import log_last_bytes
from jobs.models import Cluster
from jobs.reconcile import apply, away
from jobs.reconcile.attempts import database_now, open_attempts
from jobs.reconcile.decide import Action, AttemptView, WorkerState, Verb, decide
from jobs.reconcile.known_state import Memory
from jobs.reconcile.observe import explained, with_last_lines
from jobs.reconcile.silence import due_away
from mimir.lib.crash import crash_point

log = structlog.get_logger(__name__)
TAIL_SECONDS = 60.0


def reconcile_once(cluster: Cluster, launcher: Launcher, memory: Memory | None = None) -> int:
    """One pass; returns how many attempts it moved or cleaned up. `memory`: of the passes before, so that what is known is not read again."""
    before = open_attempts(cluster=cluster)
    now = database_now()
    try:
        observed = launcher.observe()
    except OSError as error:
        cluster_unreachable(cluster=cluster, message=str(error))
        while_away(cluster)
        raise
    crash_point("reconcile.after_list")
    if cluster_reached(cluster=cluster):
        away.heard_again(cluster=cluster)
    after = open_attempts(cluster=cluster)
    sights = {UUID(seen.attempt_id): seen for seen in observed if _is_uuid(seen.attempt_id)}
    memory = memory or Memory()
    memory.keep(after, sights)
    moved = 0
    for attempt_id, row in after.items():
        earlier = before.get(attempt_id)
        if earlier is None or earlier.fence() != row.fence():
            continue  # it changed while we looked: only of a row that stood so before the list is the list newer
        moved += _step_safely(row, sights.get(attempt_id), launcher, memory, now)
    _orphans(observed, before, after, launcher, memory, now)
    return moved + _seal()


def while_away(cluster: Cluster) -> int:
    """What can be decided about a cluster's attempts while it cannot be asked; returns how many it moved.

    What it does not know, nor its worker tells, is waited for until the cluster's grace is over.
    """
    away.unheard_mark(cluster=cluster)
    moved = 0
    for attempt_id in due_away(cluster=cluster, times=apply.times()):
        try:
            moved += int(away.away_step(attempt_id=attempt_id))
        except Exception:
            log.exception("an attempt could not be moved", attempt_id=str(attempt_id))
            connection.close()
    return moved + _seal()


def _step_safely(
    row: AttemptView, seen: Observation | None, launcher: Launcher, memory: Memory, now: dt.datetime
) -> int:
    """Decide and do it; one attempt that cannot be moved is logged and holds up nobody else."""
    action = Action(Verb.NOTHING)
    try:
        sight, told = memory.explained(
            row, seen, partial(explained, row, seen, launcher, partial(memory.pods, row.id))
        )
        action = decide(row, sight, now=now, times=apply.times())
        if action.verb is Verb.NOTHING and sight is not None and sight.node_silent:
            return int(away.node_step(row=row, ready=sight.ready))
        if action.verb is Verb.NOTHING:
            return int(_waits(row, told))
        if action.verb is Verb.END:
            crash_point("reconcile.decided_to_end")
        return int(_act(row, sight, action, launcher, now, shown=seen is not None))
    except OSError as error:
        log.warning(
            "an attempt could not be moved: its cluster",
            attempt=row.name,
            verb=action.verb,
            error=str(error)[:300],
        )
        return 0
    except Exception:
        log.exception("an attempt could not be moved", attempt=row.name, verb=action.verb)
        connection.close()
        return 0


def _waits(row: AttemptView, told: Diagnosis | None) -> bool:
    """Tell what a worker that does not start waits for, once for each thing it waits for; nothing moves by it."""
    if row.claimed_at is not None or row.fenced_at is not None or row.ended_at is not None:
        return False
    known = row.waits_for and {
        name: row.waits_for.get(name) for name in ("category", "summary", "detail", "next_steps")
    }
    if known != (told.body() if told is not None and told.waiting else None) and (
        told is not None or row.uid
    ):
        apply.wait_record(
            attempt_id=row.id, diagnosis=told.body() if told is not None and told.waiting else None
        )
    return False


def _act(
    row: AttemptView,
    sight: WorkerState | None,
    action: Action,
    launcher: Launcher,
    now: dt.datetime,
    *,
    shown: bool,
) -> bool:
    if action.verb is Verb.END:
        if not shown and not launcher.is_gone(row.name, str(row.id)):
            return False  # the look was late: it is there
        if action.reason is FailureReason.NEVER_CLAIMED and sight is not None:
            sight, action = with_last_lines(row, sight, launcher, action)
        log.info("attempt ended", attempt=row.name, reason=action.reason)
        return apply.end_if_unchanged(row=row, action=action, seen=sight)
    if action.verb is Verb.FENCE:
        return apply.fence_if_unchanged(row=row)
    if action.verb is Verb.TERMINATE:
        _terminate(row, launcher, now)
        return False  # nothing moved yet: the next list shows whether it helped
    if action.verb is Verb.GONE:
        return _gone(row, sight, launcher, now, shown=shown)
    crash_point("clean_up.before")
    launcher.clean_up(row.name, str(row.id))
    apply.cleaned_up(attempt_id=row.id)
    return True


def _terminate(row: AttemptView, launcher: Launcher, now: dt.datetime) -> None:
    """Ask first; past the grace, and for a supervisor that is dead already, kill."""
    asked = row.terminate_asked_at
    grace = apply.times().terminate_grace
    patient = asked is None or (now - asked).total_seconds() < grace
    apply.terminate_asked(row=row, at=now)
    launcher.terminate(row.name, str(row.id), grace_seconds=grace if patient else 0.0)


def _gone(
    row: AttemptView, sight: WorkerState | None, launcher: Launcher, now: dt.datetime, *, shown: bool
) -> bool:
    if not launcher.is_gone(row.name, str(row.id)):
        return False
    crash_point("reconcile.seen_gone")
    if shown:
        _join_log(row, launcher, now)
    return apply.gone_if_unchanged(row=row, seen=sight)


def _join_log(row: AttemptView, launcher: Launcher, now: dt.datetime) -> None:
    """The rest of its log. A node that does not answer is asked again for TAIL_SECONDS; its room is not held for longer than that."""
    try:
        apply.log_rest_append(
            attempt_id=row.id,
            read=lambda offset: launcher.tail(
                row.name, str(row.id), after=log_last_bytes(row.id, offset), offset=offset
            ),
        )
    except OSError as error:
        since = row.fenced_at or row.ended_at or now
        if (now - since).total_seconds() < TAIL_SECONDS:
            raise
        log.warning("the rest of a log cannot be had", attempt=row.name, error=str(error)[:300])


def _orphans(
    observed: Sequence[Observation],
    before: Mapping[UUID, AttemptView],
    after: Mapping[UUID, AttemptView],
    launcher: Launcher,
    memory: Memory,
    now: dt.datetime,
) -> None:
    """Worker objects with our label that no open attempt owns: left by a start that came after its attempt was cleaned up.

    They are removed after ORPHAN_GRACE: a person who restores a database has that long to think again, and what is being deleted is.
    """
    owned = before.keys() | after.keys()
    orphans = [
        seen
        for seen in observed
        if not (_is_uuid(seen.attempt_id) and UUID(seen.attempt_id) in owned)
    ]
    memory.orphans_are({seen.name for seen in orphans})
    for seen in orphans:
        try:
            if memory.orphaned_seconds(seen.name, now) < settings.ENV.orphan_grace:
                continue
            if launcher.is_gone(seen.name, seen.attempt_id):
                launcher.clean_up(seen.name, seen.attempt_id)
            else:
                launcher.terminate(seen.name, seen.attempt_id, grace_seconds=0.0)
        except OSError as error:
            log.warning("an orphan could not be removed", name=seen.name, error=str(error)[:300])
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
