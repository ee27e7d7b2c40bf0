"""State of one cluster's attempts that passes keep in memory.

It can be lost at any time: then something is read or written once more.
"""

import datetime as dt
from collections.abc import Callable, Collection, Mapping, Sequence
from uuid import UUID

from jobs.clusters.launchers.base import Evidence, Observation
from jobs.diagnosis.kubernetes import Diagnosis
from jobs.diagnosis.kubernetes.objects import Object, at, items, text
from jobs.reconcile.apply import pods_keep
from jobs.reconcile.attempts import pods_of
from jobs.reconcile.decide import AttemptView, WorkerState

PODS_KEPT = 3  # of one attempt; it has one, unless somebody changed its Job
Pods = tuple[Object, ...]
Diagnosed = tuple[WorkerState | None, Diagnosis | None]


class KnownState:
    """Stored pods, the last diagnosis of each waiting worker, and the age of orphans.

    `gone`: names of workers that were observed gone, until their objects are removed. `cleanable`:
    those that the last complete pass found removable. `unsettled`: names of workers whose last step
    is repeated soon: it had something to do or failed, or their node is suspected.
    """

    def __init__(self) -> None:
        self._pods: dict[UUID, Pods] = {}
        self._orphans: dict[str, dt.datetime] = {}
        self._diagnosed: dict[UUID, tuple[Evidence, Diagnosed]] = {}
        self._first = True
        self.attempts = 0  # count in the last complete pass
        self.gone: set[str] = set()
        self.unsettled: set[str] = set()
        self.cleanable: list[AttemptView] = []

    def keep(
        self,
        rows: Mapping[UUID, AttemptView],
        observations: Mapping[UUID, Observation],
        *,
        complete: bool = True,
    ) -> None:
        """Store the pods that have changed. `complete`: the rows are all open attempts.

        Pods of an ended attempt are not stored: its end is diagnosed already.
        The first pass does not store pods of running workers: their rows usually have them, and
        storing those of thousands of workers would make each restart slow.
        """
        changed: dict[UUID, Pods] = {}
        for attempt_id, observation in observations.items():
            pods = observation.evidence.pods if observation.evidence is not None else ()
            row = rows.get(attempt_id)
            if not pods or row is None or row.gone_at or row.ended_at or row.fenced_at:
                continue
            known = self._pods.get(attempt_id, ())
            names = {_name(pod) for pod in pods}
            merged = (*(pod for pod in known if _name(pod) not in names), *pods)[-PODS_KEPT:]
            if merged != known and not self._is_usual(row, pods):
                changed[attempt_id] = merged
            self._pods[attempt_id] = merged
        if changed:
            pods_keep(pods=changed)
        if not complete:
            return
        self.attempts = len(rows)
        self.cleanable = []
        self.unsettled.clear()
        self.gone = {row.name for row in rows.values() if row.gone_at is not None}
        self._first = False
        for gone in self._pods.keys() - rows.keys():
            del self._pods[gone]
        for gone in self._diagnosed.keys() - rows.keys():
            del self._diagnosed[gone]

    def _is_usual(self, row: AttemptView, pods: Pods) -> bool:
        """Return whether the state of an attempt's pods need not be stored."""
        return all(map(_begins, pods)) or (
            self._first and row.claimed_at is not None and all(map(_runs, pods))
        )

    def diagnosed_state(
        self,
        row: AttemptView,
        observation: Observation | None,
        diagnose: Callable[[], Diagnosed],
    ) -> Diagnosed:
        """Return the result of `diagnose`; for an unchanged waiting worker, the last one."""
        if (
            observation is None
            or observation.evidence is None
            or not observation.alive
            or row.claimed_at is not None
            or row.ended_at is not None
        ):
            self._diagnosed.pop(row.id, None)
            return diagnose()
        before = self._diagnosed.get(row.id)
        if before is None or not before[0].is_same(observation.evidence):
            before = self._diagnosed[row.id] = observation.evidence, diagnose()
        return before[1]

    def pods(self, attempt_id: UUID) -> Sequence[Object]:
        """Return the last known state of each pod of an attempt."""
        return self._pods.get(attempt_id) or pods_of(attempt_id)

    def orphaned_seconds(self, name: str, now: dt.datetime) -> float:
        """Return how long this process has observed `name` without an attempt."""
        return (now - self._orphans.setdefault(name, now)).total_seconds()

    def forget_orphans_except(self, names: Collection[str]) -> None:
        """Forget all orphans except `names`: they have an attempt now, or are gone."""
        self._orphans = {name: since for name, since in self._orphans.items() if name in names}


def _name(pod: Object) -> str:
    return text(at(pod, "metadata").get("name"))


def _begins(pod: Object) -> bool:
    """Return whether a pod is starting without an error; such a state is not stored."""
    status = at(pod, "status")
    states = [at(each, "state", "waiting") for each in items(status.get("containerStatuses"))]
    error = any(
        state.get("reason") not in (None, "ContainerCreating", "PodInitializing")
        for state in states
    )
    scheduled = all(
        each.get("status") != "False"
        for each in items(status.get("conditions"))
        if each.get("type") == "PodScheduled"
    )
    return status.get("phase") == "Pending" and not error and scheduled and not _is_deleted(pod)


def _runs(pod: Object) -> bool:
    return at(pod, "status").get("phase") == "Running" and not _is_deleted(pod)


def _is_deleted(pod: Object) -> bool:
    return "deletionTimestamp" in at(pod, "metadata")
