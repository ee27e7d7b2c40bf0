"""What the passes over one cluster remember of one another. It can be lost at any time: then something is read, or written, once more."""

import datetime as dt
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from jobs.clusters.launchers.base import Evidence, Observation
from jobs.diagnosis.kubernetes import Diagnosis
from jobs.reconcile.apply import pods_keep
from jobs.reconcile.attempts import pods_seen
from jobs.reconcile.decide import AttemptView, WorkerState

PODS_KEPT = 3  # of one attempt; it has one, unless somebody changed its Job
Pods = tuple[Mapping[str, Any], ...]
Explanation = tuple[WorkerState | None, Diagnosis | None]


class Memory:
    """The pods that are kept in rows, and since when an object has been without an attempt."""

    def __init__(self) -> None:
        self._pods: dict[UUID, Pods] = {}
        self._orphans: dict[str, dt.datetime] = {}
        self._told: dict[UUID, tuple[Evidence, Explanation]] = {}
        self._first = True
        self.attempts = 0  # that the last pass looked at

    def keep(self, rows: Mapping[UUID, AttemptView], sights: Mapping[UUID, Observation]) -> None:
        """Write the pods that differ from what was seen before.

        The first pass believes of a worker that runs that its row says so: with thousands of them that is what a restart costs.
        """
        self.attempts = len(rows)
        changed: dict[UUID, Pods] = {}
        for attempt_id, seen in sights.items():
            pods = seen.evidence.pods if seen.evidence is not None else ()
            row = rows.get(attempt_id)
            if not pods or row is None or row.gone_at is not None:
                continue
            known = self._pods.get(attempt_id, ())
            names = {pod["metadata"]["name"] for pod in pods}
            merged = (*(pod for pod in known if pod["metadata"]["name"] not in names), *pods)[
                -PODS_KEPT:
            ]
            usual = all(map(_begins, pods)) or (
                self._first and row.claimed_at is not None and all(map(_runs, pods))
            )
            if merged != known and not usual:
                changed[attempt_id] = merged
            self._pods[attempt_id] = merged
        if changed:
            pods_keep(pods=changed)
        self._first = False
        for gone in self._pods.keys() - rows.keys():
            del self._pods[gone]
        for gone in self._told.keys() - rows.keys():
            del self._told[gone]

    def explained(
        self, row: AttemptView, seen: Observation | None, explain: Callable[[], Explanation]
    ) -> Explanation:
        """`explain`'s answer; the one of the pass before while the cluster shows the very same of a worker that waits."""
        if (
            seen is None
            or seen.evidence is None
            or not seen.alive
            or row.claimed_at is not None
            or row.ended_at is not None
        ):
            self._told.pop(row.id, None)
            return explain()
        before = self._told.get(row.id)
        if before is None or not _same(before[0], seen.evidence):
            before = self._told[row.id] = seen.evidence, explain()
        return before[1]

    def pods(self, attempt_id: UUID) -> Sequence[Mapping[str, Any]]:
        """The last state seen of each pod of an attempt."""
        return self._pods.get(attempt_id) or pods_seen(attempt_id)

    def orphaned_seconds(self, name: str, now: dt.datetime) -> float:
        """For how long `name` has been seen without an attempt, by this process's passes alone."""
        return (now - self._orphans.setdefault(name, now)).total_seconds()

    def orphans_are(self, names: Collection[str]) -> None:
        """Forget the others."""
        self._orphans = {name: since for name, since in self._orphans.items() if name in names}


def _same(before: Evidence, now: Evidence) -> bool:
    """Whether it is the same objects: a mirror makes a new one of each that changes."""
    pairs = zip(
        (before.job, *before.pods, *before.events), (now.job, *now.pods, *now.events), strict=False
    )
    sizes = len(before.pods) == len(now.pods) and len(before.events) == len(now.events)
    return sizes and before.nodes is now.nodes and all(one is other for one, other in pairs)


def _begins(pod: Mapping[str, Any]) -> bool:
    """Whether it is on its way and nothing is wrong: not worth a row's change."""
    status = pod["status"]
    states = [
        each.get("state", {}).get("waiting", {}) for each in status.get("containerStatuses") or ()
    ]
    told = any(
        state.get("reason") not in (None, "ContainerCreating", "PodInitializing")
        for state in states
    )
    scheduled = all(
        each.get("status") != "False"
        for each in status.get("conditions") or ()
        if each.get("type") == "PodScheduled"
    )
    return (
        status.get("phase") == "Pending"
        and not told
        and scheduled
        and "deletionTimestamp" not in pod["metadata"]
    )


def _runs(pod: Mapping[str, Any]) -> bool:
    return pod["status"].get("phase") == "Running" and "deletionTimestamp" not in pod["metadata"]
