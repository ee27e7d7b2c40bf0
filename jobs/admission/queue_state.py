"""State of the queue for explanations: one snapshot, its decision, positions and forecast.

Of a long queue it holds the heads, as admission does, and calls within KEEP_SECONDS share it.
"""

import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from django.db.models import Exists, F, QuerySet, Subquery

from jobs.admission.candidates import SHORT_QUEUE, admit_heads
from jobs.admission.decide import admit
from jobs.admission.durations import usual_seconds
from jobs.admission.forecast import (
    HORIZON_SECONDS,
    Forecast,
    UsualSeconds,
    forecast,
)
from jobs.admission.positions import queue_positions
from jobs.admission.queue_head import QueueHead, queue_head
from jobs.admission.queue_rows import QueueRows
from jobs.admission.snapshot import clusters_with_limits, snapshot, waiting_jobs
from jobs.admission.snapshot_types import Candidate, Decision, Snapshot
from jobs.contract import JobStatus, WaitRule
from jobs.models import Cluster, Job, LoopBeat

KEEP_SECONDS = 1.0  # lifetime of the shared state of a long queue

Kind = tuple[str, str]  # project (slug) and type


@dataclass(frozen=True, slots=True)
class QueueState:
    """Snapshot without waiting jobs, and the waiting jobs to consider.

    `considered`: all jobs of a short queue, or the heads of a long one. `head`: the jobs that
    forecasts consider; None without forecasts. `positions` and `durations`: caches.
    """

    clusters: Sequence[Cluster]
    view: Snapshot
    considered: tuple[Candidate, ...]
    head: QueueHead | None
    is_long: bool
    taken_at: float = field(default_factory=time.monotonic)
    positions: dict[UUID, int] = field(default_factory=dict)
    durations: dict[Kind, float | None] = field(default_factory=dict)

    def decide(self, jobs: Collection[Candidate]) -> Decision:
        """Decide over the considered jobs and `jobs`, and explain `jobs`."""
        waiting = {job.job_id: job for job in (*self.considered, *jobs)}
        ids = [job.job_id for job in jobs]
        return admit(replace(self.view, waiting=tuple(waiting.values())), explain=ids)

    def places(
        self, decision: Decision, ids: Collection[UUID], new: Sequence[Candidate] = ()
    ) -> Mapping[UUID, int]:
        """Return the queue positions of jobs. `new`: those that are not in the database."""
        if not self.is_long:
            return places_of(decision)
        if missing := [job_id for job_id in ids if job_id not in self.positions]:
            mine = {job.job_id for job in new}
            admitted = [each for each, _cluster in decision.admitted if each not in mine]
            self.positions.update(queue_positions(self.view, admitted, missing, new))
        return self.positions

    def usual(self, kinds: Collection[Kind]) -> UsualSeconds:
        """Return the usual durations of running and waiting jobs, and of `kinds`."""
        running = Counter((each.project, each.type) for each in self.view.allocations)
        heads = [(job.project, job.type) for job in self.head.jobs] if self.head else []
        wanted = dict.fromkeys((*kinds, *(kind for kind, _n in running.most_common()), *heads))
        if missing := [kind for kind in wanted if kind not in self.durations]:
            self.durations.update(dict.fromkeys(missing) | usual_seconds(missing))
        starts = {row.name: getattr(row, "start_seconds", None) for row in self.clusters}
        durations = dict(self.durations)  # a copy: other threads add to the shared one
        return UsualSeconds(
            {kind: seconds for kind, seconds in durations.items() if seconds is not None},
            {name: seconds for name, seconds in starts.items() if seconds is not None},
        )

    def forecast(
        self,
        ids: Collection[UUID],
        usual: UsualSeconds,
        *,
        work_max: int,
        new: Candidate | None = None,
        within_seconds: float = HORIZON_SECONDS,
    ) -> Forecast | None:
        """Forecast the starts of jobs. `new`: one that is not in the database."""
        if self.head is None:
            return None
        head = self.head if new is None else replace(self.head, jobs=(*self.head.jobs, new))
        return forecast(
            self.view, head, usual, ids, work_max=work_max, within_seconds=within_seconds
        )


_long: QueueState | None = None


def queue_state() -> QueueState:
    """Read the state of the queue; of a long queue it is at most KEEP_SECONDS old."""
    global _long
    clusters = list(_surroundings())
    if not (clusters and getattr(clusters[0], "is_long_queue")):  # noqa: B009 - annotated
        view = snapshot(clusters)
        waiting = view.waiting
        return QueueState(
            clusters, replace(view, waiting=()), waiting, QueueHead(waiting), is_long=False
        )
    if _long is None or time.monotonic() - _long.taken_at > KEEP_SECONDS:
        view = snapshot(clusters, waiting=())
        rows = QueueRows(view)
        heads = admit_heads(view, rows, never_since=None).heads
        _long = QueueState(clusters, view, heads, queue_head(view, rows), is_long=True)
    return replace(_long, clusters=clusters)


def jobs_of(state: QueueState, ids: Collection[UUID]) -> list[Candidate]:
    """Return the waiting jobs with these ids. Jobs that no longer wait are not returned."""
    if state.is_long:
        return list(waiting_jobs(ids))
    wanted = set(ids)
    return [job for job in state.considered if job.job_id in wanted]


def places_of(decision: Decision) -> dict[UUID, int]:
    """Return each job's queue position. A job in back-off does not count for those behind it."""
    places, before = {}, 0
    for job_id in decision.order:
        places[job_id] = before + 1
        check = decision.blocked.get(job_id)
        before += check is None or check.rule is not WaitRule.BACK_OFF
    return places


def _surroundings() -> "QuerySet[Cluster, Cluster]":
    """Return the clusters of `clusters_with_limits` with three more annotations.

    `dispatcher_at`: last heartbeat of the dispatcher. `is_long_queue`: more than SHORT_QUEUE jobs
    wait. `start_seconds`: usual duration of a start.
    """
    beats = (
        LoopBeat.objects.filter(component="dispatcher").order_by("-beat_at").values("beat_at")[:1]
    )
    beyond_short = Job.objects.filter(status=JobStatus.QUEUED).order_by()[SHORT_QUEUE:]
    return clusters_with_limits().annotate(
        dispatcher_at=Subquery(beats),
        is_long_queue=Exists(beyond_short),
        start_seconds=F("start_window__usual_seconds"),
    )
