"""Read groups and heads of the waiting jobs for `candidates.admit_heads`.

The index `job_queue_groups` holds the waiting jobs in the order of `_KEYS`, then by age. Each read
goes from group to group in the index: its cost depends on the number of groups and heads, and not
on the number of waiting jobs. Only groups of retries and of jobs with an exclusive key are read to
their end, inside the database.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import connection

from jobs.admission.candidates import CandidateGroup, Depths, GroupLine
from jobs.admission.line_rows import NO_WORKER, ROW, LineRows, in_index_order
from jobs.admission.lines import NEVER_MAX
from jobs.admission.snapshot import candidate
from jobs.admission.snapshot_types import Candidate, Snapshot
from jobs.contract import Priority
from projects.models import ProjectStatus

# Expressions of the index, in its order, with their names and types.
_KEYS = (
    ("project_id", "project_id", "uuid"),
    ("type", "type", "text"),
    ("priority", "priority", "text"),
    ("cluster", "cluster", "text"),
    ("region", "region", "text"),
    ("cpu", "(resources #>> '{requests,cpu_millicores}')::bigint", "bigint"),
    ("memory", "(resources #>> '{requests,memory_bytes}')::bigint", "bigint"),
    ("gpus", "(resources #>> '{requests,gpus}')::bigint", "bigint"),
    ("keyed", "(exclusive_key > '')", "boolean"),
    ("retried", "(not_before IS NOT NULL)", "boolean"),
)
_NAMES = ", ".join(name for name, _expression, _type in _KEYS)
_EXPRESSIONS = ", ".join(expression for _name, expression, _type in _KEYS)
_SELECTED = ", ".join(f"{expression} AS {name}" for name, expression, _type in _KEYS)
_PREVIOUS = ", ".join(f"found.{name}" for name, _expression, _type in _KEYS)
_GIVEN = ", ".join(f"%s::{kind}[]" for _name, _expression, kind in _KEYS)
_OF_GROUP = "status = 'queued' AND " + " AND ".join(
    f"{expression} = asked.{name}" for name, expression, _type in _KEYS
)
_NO_BACK_OFF = "(not_before IS NULL OR not_before <= now())"

# One step for each group: the next entry of the index with another group.
_GROUPS = f"""
WITH RECURSIVE found AS (
    (
        SELECT {_SELECTED}, 1 AS number FROM jobs_job WHERE status = 'queued'
        ORDER BY {_EXPRESSIONS} LIMIT 1
    )
    UNION ALL
    SELECT following.*, found.number + 1 FROM found CROSS JOIN LATERAL (
        SELECT {_SELECTED} FROM jobs_job
        WHERE status = 'queued' AND ({_EXPRESSIONS}) > ({_PREVIOUS})
        ORDER BY {_EXPRESSIONS} LIMIT 1
    ) following
    WHERE found.number <= %s
)
SELECT {_PREVIOUS}, project.slug, project.status
FROM found JOIN projects_project project ON project.id = found.project_id
"""
_ASKED = f"unnest({_GIVEN}, %s::int[]) WITH ORDINALITY AS asked ({_NAMES}, depth, number)"
_HEADS = f"""
SELECT asked.number, FALSE, {ROW}
FROM {_ASKED}
CROSS JOIN LATERAL (
    SELECT * FROM jobs_job WHERE {_OF_GROUP} ORDER BY queued_at, id LIMIT asked.depth
) job
JOIN projects_project project ON project.id = asked.project_id
"""
_HEADS_OF_LINES = f"""
SELECT asked.number, head.reserves, {ROW}
FROM {_ASKED}
CROSS JOIN LATERAL (
    SELECT id, reserves,
        row_number() OVER (PARTITION BY reserves ORDER BY queued_at, id) AS place
    FROM (
        SELECT id, queued_at, exclusive_key, reserves, row_number() OVER (
            PARTITION BY exclusive_key, reserves ORDER BY queued_at, id
        ) AS place_of_key
        FROM (
            SELECT id, queued_at, exclusive_key, not_before IS NOT NULL
                AND greatest(queued_at, not_before) <= now() - make_interval(secs => %s)
                AS reserves
            FROM jobs_job waits
            WHERE {_OF_GROUP} AND {_NO_BACK_OFF} AND {NO_WORKER}
                AND (exclusive_key = '' OR exclusive_key <> ALL(%s::text[]))
        ) able
    ) able
    WHERE exclusive_key = '' OR place_of_key = 1
) head
JOIN jobs_job job ON job.id = head.id
JOIN projects_project project ON project.id = asked.project_id
WHERE head.place <= asked.depth
"""
_UNPLACEABLE = f"""
SELECT job.id
FROM {_ASKED}
CROSS JOIN LATERAL (
    SELECT id FROM jobs_job waits
    WHERE {_OF_GROUP} AND {_NO_BACK_OFF} AND {NO_WORKER} LIMIT asked.depth
) job
LIMIT %s
"""


class QueueRows(LineRows):
    """Waiting jobs in the database, for a snapshot without waiting jobs."""

    def __init__(self, view: Snapshot) -> None:
        super().__init__(view)
        self._held_keys = sorted(
            {each.exclusive_key for each in view.allocations if each.exclusive_key}
        )
        self._project_ids: dict[str, UUID] = {}

    def groups(self, most: int) -> list[CandidateGroup] | None:
        """Return the groups of all waiting jobs; None if there are more than `most`."""
        with in_index_order() as cursor:
            cursor.execute(_GROUPS, [most])
            rows = cursor.fetchall()
        if len(rows) > most:
            return None
        self._project_ids = {row[-2]: row[0] for row in rows}
        return [_group(row) for row in rows]

    def heads(self, depths: Depths) -> dict[GroupLine, list[Candidate]]:
        """Return the oldest jobs of each line of the groups, at most the group's depth."""
        plain = [group for group in depths if not (group.keyed or group.retried)]
        others = [group for group in depths if group.keyed or group.retried]
        lines: dict[GroupLine, list[Candidate]] = {}
        if plain:
            with in_index_order() as cursor:
                cursor.execute(_HEADS, self._asked(plain, depths))
                self._add(lines, plain, cursor.fetchall())
        if others:
            with connection.cursor() as cursor:
                cursor.execute(
                    _HEADS_OF_LINES,
                    [
                        *self._asked(others, depths),
                        self._view.reserve_after_seconds,
                        self._held_keys,
                    ],
                )
                self._add(lines, others, cursor.fetchall())
        return lines

    def unplaceable(self, groups: Sequence[CandidateGroup]) -> tuple[list[UUID], bool]:
        """Return at most NEVER_MAX jobs of the groups, and whether there may be more."""
        depths = dict.fromkeys(groups, NEVER_MAX)
        with connection.cursor() as cursor:
            cursor.execute(_UNPLACEABLE, [*self._asked(groups, depths), NEVER_MAX])
            ids = [job_id for (job_id,) in cursor.fetchall()]
        return ids, len(ids) == NEVER_MAX

    def _asked(self, groups: Sequence[CandidateGroup], depths: Depths) -> list[list[Any]]:
        """Return the parameters of `_ASKED`: a list for each key and the depths."""
        keys = [
            (
                self._project_ids[group.project],
                group.type,
                group.priority.value,
                group.cluster,
                group.region,
                group.cpu_millicores,
                group.memory_bytes,
                group.gpus,
                group.keyed,
                group.retried,
                depths[group],
            )
            for group in groups
        ]
        return [list(column) for column in zip(*keys, strict=True)]

    def _add(
        self,
        lines: dict[GroupLine, list[Candidate]],
        groups: Sequence[CandidateGroup],
        rows: Sequence[tuple[Any, ...]],
    ) -> None:
        self.rows_read += len(rows)
        for number, reserves, *row in rows:
            lines.setdefault((groups[number - 1], reserves), []).append(candidate(row))
        for jobs in lines.values():
            jobs.sort(key=lambda job: (job.queued_at, job.job_id))


def _group(row: tuple[Any, ...]) -> CandidateGroup:
    """Build a group from the columns that `_GROUPS` reads."""
    _project_id, kind, priority, cluster, region, cpu, memory, gpus, keyed, retried, *more = row
    slug, status = more
    return CandidateGroup(
        project=slug,
        type=kind,
        priority=Priority(priority),
        cluster=cluster,
        region=region,
        cpu_millicores=cpu,
        memory_bytes=memory,
        gpus=gpus,
        keyed=keyed,
        retried=retried,
        archived=status == ProjectStatus.ARCHIVED,
    )
