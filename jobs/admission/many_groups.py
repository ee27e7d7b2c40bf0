"""State of a process between its passes over a queue with many groups. Pure.

Counting groups and finding jobs that no cluster can hold cost more than the rest of such a pass.
Losing this state, or having it in two processes, costs time only.
"""

from jobs.admission.snapshot_types import Snapshot

COUNT_SECONDS = 10.0  # between two counts of the groups, and between two checks of all waiting jobs
# A job can be committed after a pass that began later than its `queued_at`, and clocks differ.
LATE_SECONDS = 5.0


class ManyGroups:
    """Time of the last count of the groups, and of the last checks for jobs that never fit.

    `now` in its methods: seconds of the monotonic clock.
    """

    def __init__(self) -> None:
        self._counted_at = float("-inf")
        self._checked_all_at = float("-inf")
        self._checked_at = 0.0  # by the database's clock
        self._sizes: tuple[tuple[object, ...], ...] = ()

    def is_known(self, now: float) -> bool:
        """Return whether a recent pass found many groups."""
        return now - self._counted_at < COUNT_SECONDS

    def never_since(self, view: Snapshot, now: float) -> float:
        """Return since when (Unix seconds) jobs were submitted that no check has covered.

        0 for all jobs: after COUNT_SECONDS, and when the capacity of a cluster has changed.
        """
        if now - self._checked_all_at >= COUNT_SECONDS or _sizes(view) != self._sizes:
            return 0.0
        return self._checked_at - LATE_SECONDS

    def note(self, view: Snapshot, now: float, since: float, *, more_never: bool) -> None:
        """Store that a pass found many groups and checked the jobs submitted after `since`.

        `more_never`: the check was not complete.
        """
        if not self.is_known(now):
            self._counted_at = now
        if more_never:
            return
        self._checked_at = view.now
        if since == 0.0:
            self._checked_all_at, self._sizes = now, _sizes(view)


def _sizes(view: Snapshot) -> tuple[tuple[object, ...], ...]:
    """Return the values of the clusters that decide which jobs they can ever hold."""
    return tuple(
        (
            each.cluster,
            each.region,
            each.jobs >= 1,
            each.cpu_millicores,
            each.memory_bytes,
            each.gpus,
        )
        for each in view.capacities
    )
