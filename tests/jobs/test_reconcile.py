"""Reconciler with the shipped fake launcher.

Lost workers are found, new ones are kept, and no attempt runs twice.
"""

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import replace
from uuid import uuid4

import pytest

from jobs.admission.admit import admit_once
from jobs.clusters.launchers.base import Launcher, LaunchRefused, LaunchUncertain, Observation
from jobs.clusters.rows import cluster_ensure
from jobs.contract import FailureReason, JobStatus
from jobs.dispatch.launch import attempts_launch
from jobs.dispatch.launch_rows import attempts_to_launch
from jobs.lifecycle.cancel import job_cancel
from jobs.logs.append import log_append
from jobs.models import Attempt, Cluster, Job
from jobs.reconcile.apply import log_rest_append
from jobs.reconcile.attempts import open_attempts, open_fences
from jobs.reconcile.known_state import KnownState
from jobs.reconcile.once import reconcile_once, reconcile_workers
from jobs.reconcile.release import attempts_release
from tests.support import make

pytestmark = pytest.mark.django_db(transaction=True)


def _job(attempt: Attempt) -> Job:
    return Job.objects.get(id=attempt.job_id)


def _ready(job: Job) -> None:
    Job.objects.filter(id=job.id).update(not_before=None)


def test_a_lost_worker_is_tried_again_and_does_not_count() -> None:
    attempt = make.claimed()
    make.launcher().vanish(attempt.name)
    make.reconcile()
    job = _job(attempt)
    assert (job.status, job.attempt, job.attempts_used, job.reason) == (
        JobStatus.QUEUED,
        2,
        0,
        FailureReason.WORKER_LOST,
    )


def test_lost_workers_are_bounded_too() -> None:
    attempt = make.claimed()
    Job.objects.filter(id=attempt.job_id).update(infrastructure_failures=5)
    make.launcher().vanish(attempt.name)
    make.reconcile()
    assert _job(attempt).status == JobStatus.FAILED


def test_the_next_attempt_waits_until_the_previous_one_is_observed_gone() -> None:
    attempt = make.claimed()
    make.launcher().leave_processes(attempt.name, 2)
    make.reconcile()
    job = _job(attempt)
    assert (job.status, job.attempt) == (JobStatus.QUEUED, 2)
    _ready(job)
    make.launcher().obeys = False
    admit_once()
    early = Attempt.objects.filter(job=job).count()
    make.launcher().end(attempt.name)
    make.settle()
    admit_once()
    assert (early, Attempt.objects.filter(job=job).count()) == (1, 2)


def _workers_pass(cluster: Cluster, launcher: Launcher) -> int:
    names = set(Attempt.objects.values_list("name", flat=True))
    return reconcile_workers(cluster, launcher, KnownState(), names=names)


both_passes = pytest.mark.parametrize("reconcile", [reconcile_once, _workers_pass])


@both_passes
def test_a_worker_that_claims_during_the_listing_is_kept(
    reconcile: Callable[[Cluster, Launcher], int],
) -> None:
    """The list may be older than the row, so a worker missing from it is not lost."""
    attempt = make.admitted()
    attempts_launch([attempt.id])
    attempt.refresh_from_db()
    launcher = make.launcher()

    class Slow:
        """Launcher whose list was made before the worker claimed."""

        def observe(self, _names: object = None) -> list[Observation]:
            make.claim(attempt)
            return []

        def __getattr__(self, name: str) -> object:
            return getattr(launcher, name)

    reconcile(cluster_ensure(), Slow())  # type: ignore[arg-type]
    assert _job(attempt).status == JobStatus.RUNNING
    assert launcher.workers[attempt.name].terminations == 0


@both_passes
def test_a_worker_launched_after_the_list_began_is_not_missing(
    reconcile: Callable[[Cluster, Launcher], int],
) -> None:
    attempt = make.admitted()
    launcher = make.launcher()

    class Early:
        """Launcher whose list was made before the launch.

        The launch is committed before the rows are read again.
        """

        def observe(self, _names: object = None) -> list[Observation]:
            observed = launcher.observe()
            attempts_launch([attempt.id])
            return observed

        def __getattr__(self, name: str) -> object:
            return getattr(launcher, name)

    reconcile(cluster_ensure(), Early())  # type: ignore[arg-type]
    assert _job(attempt).status == JobStatus.LAUNCHING
    assert attempt.name in launcher.workers


@both_passes
def test_gone_counts_only_in_a_list_begun_after_the_fence(
    reconcile: Callable[[Cluster, Launcher], int],
) -> None:
    """A list that began before the fence can miss a worker that was being created."""
    attempt = make.admitted()
    launcher = make.launcher()

    class Early:
        """Launcher whose list was made before the launch and the cancellation.

        Both are committed before the rows are read again.
        """

        def observe(self, _names: object = None) -> list[Observation]:
            observed = launcher.observe()
            attempts_launch([attempt.id])
            job_cancel(job_id=attempt.job_id, actor="test")
            return observed

        def __getattr__(self, name: str) -> object:
            return getattr(launcher, name)

    reconcile(cluster_ensure(), Early())  # type: ignore[arg-type]
    attempt.refresh_from_db()
    assert attempt.fenced_at
    assert (attempt.gone_at, _job(attempt).status) == (None, JobStatus.CANCELLING)


@both_passes
def test_a_worker_that_a_late_list_does_not_show_is_not_gone(
    reconcile: Callable[[Cluster, Launcher], int],
) -> None:
    """A fenced attempt is gone when its worker is observed gone, not when a list misses it."""
    attempt = make.launched()
    job_cancel(job_id=attempt.job_id, actor="test")
    launcher = make.launcher()

    class Late:
        """Launcher whose list misses the worker, which was launched long before."""

        def observe(self, _names: object = None) -> list[Observation]:
            return []

        def __getattr__(self, name: str) -> object:
            return getattr(launcher, name)

    reconcile(cluster_ensure(), Late())  # type: ignore[arg-type]
    attempt.refresh_from_db()
    assert (attempt.gone_at, _job(attempt).status) == (None, JobStatus.CANCELLING)


def test_an_end_in_the_future_of_our_clock_holds_no_capacity() -> None:
    attempt = make.claimed()
    make.finish(attempt)
    Attempt.objects.filter(id=attempt.id).update(
        ended_at=dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
    )
    make.launcher().end(attempt.name)
    make.settle()
    attempt.refresh_from_db()
    assert attempt.gone_at, "its capacity is held until another machine's clock reaches that time"


def test_the_rest_of_a_log_follows_on_what_a_late_request_has_stored() -> None:
    """The last request of a lost worker is still processed while its spool is read."""
    attempt = make.claimed()
    lines = [make.LINE + text + b"\n" for text in (b"one", b"two", b"three")]
    spool = b"".join(lines)
    late = iter([lines[0] + lines[1]])

    def read(offset: int) -> Iterator[bytes]:
        piece = spool[offset:]
        for data in late:
            log_append(attempt_id=attempt.id, offset=0, data=data)
        yield piece

    log_rest_append(attempt_id=attempt.id, read=read)
    attempt.refresh_from_db()
    assert (attempt.log_end, attempt.log_lines) == (len(spool), 3)


def test_a_worker_that_never_claims_is_ended_by_the_launch_time_limit() -> None:
    attempt = make.launched()
    Attempt.objects.filter(id=attempt.id).update(
        created_at=dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)
    )
    make.reconcile()
    assert _job(attempt).reason == FailureReason.LAUNCH_TIMEOUT


def test_the_deadline_ends_the_attempt_and_names_the_next_step() -> None:
    attempt = make.claimed(timeout_seconds=60)
    Attempt.objects.filter(id=attempt.id).update(
        claimed_at=dt.datetime.now(dt.UTC) - dt.timedelta(minutes=2)
    )
    make.reconcile()
    job = _job(attempt)
    assert (job.status, job.reason) == (JobStatus.FAILED, FailureReason.DEADLINE_EXCEEDED)
    assert job.diagnosis is not None
    assert job.diagnosis["next_steps"][0] == {
        "label": "Run again with 2 min",
        "patch": {"timeout_seconds": 120},
        "actor": "user",
    }


def test_silence_of_a_worker_that_is_observed_alive_fails_nothing() -> None:
    attempt = make.claimed()
    Attempt.objects.filter(id=attempt.id).update(
        heartbeat_at=dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)
    )
    make.settle()
    assert _job(attempt).status == JobStatus.RUNNING


def test_a_launch_with_an_unknown_result_is_repeated_and_adopts_its_worker() -> None:
    attempt = make.admitted()
    launcher = make.launcher()
    launcher.fail_next(LaunchUncertain("the answer was lost"), created_though=True)
    attempts_launch([attempt.id])
    Attempt.objects.filter(id=attempt.id).update(launch_not_before=None)
    attempts_launch(attempts_to_launch())
    attempt.refresh_from_db()
    assert (len(launcher.workers), len(launcher.launches)) == (1, 2)
    assert attempt.uid == launcher.workers[attempt.name].observation.uid


def test_a_refused_launch_fails_the_attempt_only_while_nobody_has_claimed_it() -> None:
    attempt = make.launched()
    make.claim(attempt)
    Attempt.objects.filter(id=attempt.id).update(uid="")
    make.launcher().fail_next(LaunchRefused("no"))
    attempts_launch([attempt.id])
    assert _job(attempt).status == JobStatus.RUNNING


def test_an_orphan_with_our_label_is_ended_and_removed() -> None:
    cluster_ensure()
    make.project()
    launcher = make.launcher()
    attempt = make.launched()
    launcher.workers["stray"] = launcher.workers[attempt.name].__class__(
        spec=launcher.workers[attempt.name].spec.__class__(
            **{
                **{
                    name: getattr(launcher.workers[attempt.name].spec, name)
                    for name in launcher.workers[attempt.name].spec.__slots__
                },
                "name": "stray",
                "attempt_id": (stray := str(uuid4())),
            }
        ),
        observation=Observation(name="stray", attempt_id=stray, uid="x", alive=True),
    )
    make.reconcile(2)
    assert "stray" not in launcher.workers
    assert attempt.name in launcher.workers


def test_a_stop_of_mimir_puts_running_jobs_back_without_counting() -> None:
    attempt = make.claimed(max_attempts=1)
    assert attempts_release(actor="test") == 1
    make.settle()
    job = _job(attempt)
    assert (job.status, job.attempt, job.attempts_used, job.infrastructure_failures) == (
        JobStatus.QUEUED,
        2,
        0,
        0,
    )
    assert make.launcher().workers == {}


def test_an_attempt_without_log_frees_its_capacity_and_object() -> None:
    attempt = make.claimed()
    make.finish(attempt)
    make.launcher().end(attempt.name)
    make.settle()
    attempt.refresh_from_db()
    assert attempt.gone_at
    assert attempt.cleaned_up_at
    assert make.launcher().workers == {}


def test_a_pass_over_named_workers_moves_only_them() -> None:
    first, second = make.claimed(), make.claimed()
    launcher = make.launcher()
    launcher.launch(
        replace(launcher.workers[first.name].spec, name="orphan", attempt_id=str(uuid4())),
        still_wanted=lambda: True,
    )
    for attempt in (first, second):
        make.finish(attempt)
        launcher.end(attempt.name)
    launcher.wait_for_changes(0)
    launcher.end("orphan")
    assert launcher.wait_for_changes(0).ended == {"orphan"}

    known = KnownState()
    reconcile_workers(cluster_ensure(), launcher, known, names={first.name, "orphan"})
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.gone_at is None, second.gone_at) == (False, None)
    assert "orphan" in launcher.workers, "orphans are left to a complete pass"
    assert known.gone == {first.name}
    assert reconcile_workers(cluster_ensure(), launcher, known, names={"unknown"}) == 0
    make.settle()
    second.refresh_from_db()
    assert second.gone_at is not None


def test_both_reads_of_a_pass_compare_the_same_values() -> None:
    """Otherwise a pass would leave every attempt to the next pass, without end."""
    cluster = cluster_ensure()
    Cluster.objects.update(capacity_jobs=9)
    attempts = [make.claimed(), make.launched(), make.admitted()]
    make.finish(attempts[0])
    job_cancel(job_id=attempts[1].job_id, actor="test")
    fences = open_fences(cluster=cluster)
    assert len(fences) == 3
    assert fences == {key: row.fence() for key, row in open_attempts(cluster=cluster).items()}
