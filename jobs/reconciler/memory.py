"""What the passes over one cluster remember of one another. It can be lost at any time: then something is read, or written, once more."""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from jobs.launchers.base import Observed
from jobs.reconciliation import AttemptView
from jobs.selectors.attempts import pods_seen
from jobs.services.reconcile import pods_keep

PODS_KEPT = 3  # of one attempt; it has one, unless somebody changed its Job


class Memory:
    """What passes over one cluster remember: the pods that are kept in rows, and since when an object has been without an attempt."""

    def __init__(self) -> None:
        self._pods: dict[UUID, list[Mapping[str, Any]]] = {}
        self._read = False
        self._orphans: dict[str, dt.datetime] = {}

    def keep(self, rows: Mapping[UUID, AttemptView], sights: Mapping[UUID, Observed]) -> None:
        """Write the pods that differ from what rows keep."""
        if not self._read:
            self._pods.update(pods_seen(rows))
            self._read = True
        changed: dict[UUID, list[Mapping[str, Any]]] = {}
        for attempt_id, seen in sights.items():
            pods = seen.evidence.pods if seen.evidence is not None else ()
            row = rows.get(attempt_id)
            if not pods or row is None or row.gone_at is not None:
                continue
            names = {pod["metadata"]["name"] for pod in pods}
            known = self._pods.get(attempt_id, [])
            merged = [pod for pod in known if pod["metadata"]["name"] not in names] + list(pods)
            if merged != known:
                changed[attempt_id] = self._pods[attempt_id] = merged[-PODS_KEPT:]
        if changed:
            pods_keep(pods=changed)
        for attempt_id in self._pods.keys() - rows.keys():
            del self._pods[attempt_id]

    def pods(self, attempt_id: UUID) -> Sequence[Mapping[str, Any]]:
        """The last state seen of each pod of an attempt."""
        return self._pods.get(attempt_id, ())

    def orphaned_seconds(self, name: str, now: dt.datetime) -> float:
        """For how long `name` has been seen without an attempt, by this process's passes alone."""
        return (now - self._orphans.setdefault(name, now)).total_seconds()

    def orphans_are(self, names: Collection[str]) -> None:
        """Forget the others."""
        self._orphans = {name: since for name, since in self._orphans.items() if name in names}
