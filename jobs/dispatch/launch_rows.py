"""Read the attempts to launch. The SQL of the reads before each launch is built once."""

import datetime as dt
import json
from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import BooleanField, Q, QuerySet
from django.db.models.expressions import RawSQL

from jobs.contract import JobStatus
from jobs.core.compiled_query import CompiledQuery
from jobs.models import Attempt
from mimir.lib.clock import utc_now

_WANTED = Q(
    fenced_at__isnull=True,
    ended_at__isnull=True,
    claim_id__isnull=True,
    job__status=JobStatus.LAUNCHING,
)
_UNKNOWN = Q(uid="")  # no launch of it has an answer
_GIVEN = UUID(int=0)  # in the compiled queries, in place of the given ids


class LaunchRow(NamedTuple):
    """Columns of an attempt and its job that a launch needs. `resources`: of the job, as stored.

    They are read instead of model instances, whose creation costs more than all other work of a
    launch.
    """

    id: UUID
    name: str
    number: int
    cluster_id: str
    cpu_millicores: int
    memory_bytes: int
    memory_limit_bytes: int | None
    job_id: UUID
    type: str
    project_id: UUID
    priority: str
    timeout_seconds: int
    resources: dict[str, dict[str, int]]


def attempts_to_launch(
    *, cluster: str | None = None, older_than_seconds: float = 0.0, limit: int = 500
) -> list[UUID]:
    """Return admitted attempts without a known launch, oldest first.

    These were left by a lost hint or a killed dispatcher. Attempts on an unreachable cluster are
    excluded: each call would cost a timeout, and the reconciler records when it answers again.
    """
    now = utc_now()
    rows = Attempt.objects.filter(
        _WANTED & _UNKNOWN,
        Q(launch_not_before__isnull=True) | Q(launch_not_before__lte=now),
        Q() if cluster is None else Q(cluster_id=cluster),
        cluster__unreachable_since__isnull=True,
        gone_at__isnull=True,
        created_at__lte=now - dt.timedelta(seconds=older_than_seconds),
    )
    return list(rows.order_by("created_at", "id").values_list("id", flat=True)[:limit])


def launch_rows(attempt_ids: Sequence[UUID]) -> list[LaunchRow]:
    """Return those of the attempts that are still to be launched, oldest first."""
    rows = _LAUNCH_ROWS.rows(list(attempt_ids))
    return [LaunchRow._make([*row[:-1], _parsed(row[-1])]) for row in rows]


def _launch_rows() -> "QuerySet[Attempt, Any]":
    given = RawSQL('"jobs_attempt"."id" = ANY(%s::uuid[])', (_GIVEN,), output_field=BooleanField())
    of_job = ("type", "project_id", "priority", "timeout_seconds", "resources")
    return (
        Attempt.objects.filter(_WANTED & _UNKNOWN, given)
        .order_by("created_at", "id")
        .values_list(
            "id",
            "name",
            "number",
            "cluster_id",
            "cpu_millicores",
            "memory_bytes",
            "memory_limit_bytes",
            "job_id",
            *(f"job__{name}" for name in of_job),
        )
    )


_LAUNCH_ROWS = CompiledQuery(_launch_rows, varies=_GIVEN)


def _parsed(resources: Any) -> Any:
    """Decode stored JSON, which Django's connections return as text."""
    return json.loads(resources) if isinstance(resources, str) else resources


def is_still_wanted(attempt_id: UUID) -> bool:
    """Return whether the attempt is still to be launched. The launcher holds the worker's lock.

    The attempt may have been cancelled or fenced since the request was built.
    """
    return bool(_STILL_WANTED.rows(attempt_id))


_STILL_WANTED = CompiledQuery(
    lambda: Attempt.objects.filter(_WANTED, id=_GIVEN).order_by().values_list("id"), varies=_GIVEN
)
