"""Read lines of waiting jobs for `lines.decide_lines`, and jobs that no cluster can hold.

The index `job_queue_lines` holds the waiting jobs of each project and priority by age, with their
requests. A read ends with the last job that it returns. The conditions of `lines.Relevant` depend
on the clusters, so their SQL is built for each read.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from jobs.admission.lines import NEVER_MAX, FreeAmounts, Line, Relevant
from jobs.admission.snapshot import candidate
from jobs.admission.snapshot_types import Candidate, ClusterCapacity, Snapshot
from jobs.contract import PRIORITIES
from jobs.reasons import UNCOUNTED_REASONS
from projects.models import ProjectStatus

# Jobs younger by this much are read as jobs that may reserve: SQL and Python can round differently.
# `decide` then compares the exact times.
_EXTRA_SECONDS = 0.001
_REASONS = ", ".join(f"'{reason.value}'" for reason in UNCOUNTED_REASONS)
_AMOUNTS = ("cpu_millicores", "memory_bytes", "gpus")
NO_WORKER = "NOT EXISTS (SELECT FROM jobs_attempt WHERE job_id = waits.id AND gone_at IS NULL)"
# The columns that `snapshot.candidate` reads.
ROW = f"""
    job.id, project.slug, job.type, job.priority, extract(epoch FROM job.queued_at)::float8,
    {", ".join(f"(job.resources #>> '{{requests,{amount}}}')::bigint" for amount in _AMOUNTS)},
    job.exclusive_key,
    extract(epoch FROM job.not_before)::float8,
    EXISTS (SELECT FROM jobs_attempt WHERE job_id = job.id AND gone_at IS NULL),
    project.status, job.cluster, job.region,
    CASE WHEN job.attempt > 1 THEN (
        SELECT cluster_id FROM jobs_attempt
        WHERE job_id = job.id AND number = job.attempt - 1 AND reason IN ({_REASONS})
    ) END
"""
_OF_LINE = """
    waits.status = 'queued' AND waits.project_id = asked.id AND waits.priority = lines.priority
"""
_CAN_START = f"""
    waits.type <> ALL(%(types)s::text[]) AND waits.exclusive_key <> ALL(%(held_keys)s::text[])
    AND (waits.not_before IS NULL OR waits.not_before <= to_timestamp(%(now)s)) AND {NO_WORKER}
"""
_LINES = """
    projects_project asked CROSS JOIN unnest(%(priorities)s::text[]) AS lines (priority)
"""
_OF_PROJECTS = "asked.status <> %(archived)s AND asked.slug <> ALL(%(projects)s::text[])"
_SORTS = (
    "SELECT set_config('enable_sort', %s, true), set_config('enable_incremental_sort', %s, true)"
)


class LineRows:
    """Lines of the waiting jobs in the database, for a snapshot without waiting jobs.

    `rows_read` counts the candidates that were read.
    """

    def __init__(self, view: Snapshot) -> None:
        self._view = view
        self._numbers = {each.cluster: index for index, each in enumerate(view.capacities)}
        self._names: dict[str, Any] = {
            name: value
            for index, each in enumerate(view.capacities)
            for name, value in (
                (f"cluster_{index}", each.cluster),
                (f"region_{index}", each.region),
            )
        }
        self.rows_read = 0

    def first(self, depth: int, relevant: Relevant) -> dict[Line, list[Candidate]]:
        """Return the first relevant jobs of each line, at most `depth` of each."""
        lines: dict[Line, list[Candidate]] = {}
        values = {
            "priorities": [each.value for each in PRIORITIES],
            "after_at": 0.0,
            "after_id": UUID(int=0),
        }
        for job in self._read(relevant, depth, values):
            lines.setdefault((job.project, job.priority), []).append(job)
        return {line: jobs[:depth] for line, jobs in lines.items()}

    def following(self, after: Candidate, depth: int, relevant: Relevant) -> list[Candidate]:
        """Return the next relevant jobs of the line of `after`."""
        values = {
            "priorities": [after.priority.value],
            "after_at": after.queued_at,
            "after_id": after.job_id,
            "project": after.project,
        }
        return self._read(relevant, depth, values)[:depth]

    def never_fit(self, queued_since: float) -> tuple[list[UUID], bool]:
        """Return jobs that no cluster can ever hold, and whether there may be more.

        At most NEVER_MAX, of those submitted since then (Unix seconds).
        """
        capacities = self._view.capacities
        uses = _any([f"({self._can_use(each.cluster)})" for each in capacities])
        holds = _any([self._holds(each) for each in capacities if each.jobs >= 1])
        sql = f"""
            SELECT job.id FROM {_LINES} CROSS JOIN LATERAL (
                SELECT waits.id FROM jobs_job waits
                WHERE {_OF_LINE} AND waits.queued_at >= to_timestamp(%(since)s)
                    AND {uses} AND NOT {holds} AND {_CAN_START}
                LIMIT %(most)s
            ) job
            WHERE {_OF_PROJECTS} LIMIT %(most)s
        """
        values: dict[str, Any] = self._names | {
            "priorities": [priority.value for priority in PRIORITIES],
            "since": queued_since,
            "most": NEVER_MAX,
            "types": list(self._view.limits.paused_types),
            "held_keys": [],
            "now": self._view.now,
            "archived": ProjectStatus.ARCHIVED.value,
            "projects": list(self._view.limits.paused_projects),
        }
        with in_index_order() as cursor:
            cursor.execute(sql, values)
            ids = [job_id for (job_id,) in cursor.fetchall()]
        return ids, len(ids) == NEVER_MAX

    def _read(self, relevant: Relevant, depth: int, values: dict[str, Any]) -> list[Candidate]:
        """Return the next jobs of lines by age: at least `depth` of each line that has so many."""
        values |= self._names | {
            "depth": depth,
            "waited_since": relevant.waited_since + _EXTRA_SECONDS,
            "types": list(relevant.types),
            "held_keys": list(relevant.held_keys),
            "now": relevant.now,
            "archived": ProjectStatus.ARCHIVED.value,
            "projects": list(relevant.projects),
        }
        with in_index_order() as cursor:
            cursor.execute(self._lines_sql(relevant, one_project="project" in values), values)
            jobs = [candidate(row) for row in cursor.fetchall()]
        self.rows_read += len(jobs)
        return sorted(jobs, key=lambda job: (job.queued_at, job.job_id))

    def _lines_sql(self, relevant: Relevant, *, one_project: bool) -> str:
        """Return the query that reads lines: old jobs, which may reserve, and younger jobs."""
        fits = _any([self._holds(each) for each in relevant.free])
        reserves = (
            "(waits.not_before IS NULL OR waits.not_before <= to_timestamp(%(waited_since)s)) AND "
            f"{_any([self._holds(each) for each in relevant.reservable])} AND NOT "
            f"{_any([self._holds(each) for each in relevant.reserved])}"
        )
        old = f"waits.queued_at <= to_timestamp(%(waited_since)s) AND ({fits} OR ({reserves}))"
        largest = _largest(relevant.free)
        young = f"waits.queued_at > to_timestamp(%(waited_since)s) AND {largest} AND {fits}"
        parts = " UNION ALL ".join(
            f"""(
                SELECT waits.id FROM jobs_job waits
                WHERE {_OF_LINE} AND {of_age}
                    AND (waits.queued_at, waits.id) > (to_timestamp(%(after_at)s), %(after_id)s)
                    AND {_CAN_START}
                ORDER BY waits.queued_at, waits.id LIMIT %(depth)s
            )"""
            for of_age in (old, young)
        )
        project = "AND asked.slug = %(project)s" if one_project else ""
        return f"""
            SELECT {ROW}
            FROM {_LINES} CROSS JOIN LATERAL ({parts}) head
            JOIN jobs_job job ON job.id = head.id
            JOIN projects_project project ON project.id = asked.id
            WHERE {_OF_PROJECTS} {project}
        """

    def _can_use(self, cluster: str) -> str:
        """Return `ledger.can_use` in SQL."""
        number = self._numbers[cluster]
        return (
            f"waits.cluster IN ('', %(cluster_{number})s) "
            f"AND waits.region IN ('', %(region_{number})s)"
        )

    def _holds(self, cluster: FreeAmounts | ClusterCapacity) -> str:
        """Return `FreeAmounts.hold` in SQL, or whether a cluster with slots can ever hold a job."""
        amounts = cluster.cpu_millicores, cluster.memory_bytes, cluster.gpus
        return f"({self._can_use(cluster.cluster)} AND {_at_most(*amounts)})"


def _any(conditions: Sequence[str]) -> str:
    return f"({' OR '.join(conditions)})" if conditions else "FALSE"


def _largest(free: Sequence[FreeAmounts]) -> str:
    """Return a condition that every fitting job fulfils. The index alone can check it."""
    cpu = [each.cpu_millicores for each in free]
    memory = [each.memory_bytes for each in free]
    return _at_most(_most(cpu), _most(memory), max((each.gpus for each in free), default=0))


def _most(amounts: Sequence[int | None]) -> int | None:
    """Return the largest amount; None if one is not limited."""
    known = [amount for amount in amounts if amount is not None]
    return max(known) if known and len(known) == len(amounts) else None


def _at_most(*amounts: int | None) -> str:
    """Return the condition that no request exceeds its amount. None: not limited."""
    return " AND ".join(
        f"(waits.resources #>> '{{requests,{name}}}')::bigint <= {int(amount)}"
        for name, amount in zip(_AMOUNTS, amounts, strict=True)
        if amount is not None
    )


@contextmanager
def in_index_order() -> Iterator[CursorWrapper]:
    """Let the planner read an index in its order instead of sorting all waiting jobs.

    With table statistics from a time without waiting jobs, the planner would sort for each group.
    """
    with transaction.atomic(savepoint=False), connection.cursor() as cursor:
        cursor.execute(_SORTS, ["off", "off"])
        yield cursor
        cursor.execute(_SORTS, ["on", "on"])
