"""Update of a job and insert of its events in one statement.

The same UPDATE takes the events' `seq` from the job's counter. Numbers of a database sequence
would be committed out of order, and a reader that continues after seq N would miss N - 1.
"""

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connection
from django.db.models import F, QuerySet
from django.db.models.sql import UpdateQuery

from jobs.contract import EventKind
from jobs.core.compiled_instances import CompiledInstances
from jobs.models import Job

EventRow = tuple[EventKind, dt.datetime, Mapping[str, object]]


def update_with_events(
    rows: "QuerySet[Job, Job]",
    columns: Mapping[str, Any],
    *,
    attempt: int,
    actor: str,
    events: Sequence[EventRow],
) -> Job | None:
    """Set `columns` of the one job that `rows` selects, and add its events.

    Returns the new row; None, without a change, if `rows` selects none.
    """
    query: Any = rows.query.chain(UpdateQuery)
    query.add_update_values({**columns, "event_seq": F("event_seq") + len(events)})
    update, parameters = query.get_compiler(DEFAULT_DB_ALIAS).as_sql()
    with connection.cursor() as cursor:
        cursor.execute(
            _CHANGE.format(update=update, columns=_COLUMNS),
            [
                *parameters,
                len(events),
                attempt,
                actor,
                [at for _kind, at, _data in events],
                [kind.value for kind, _at, _data in events],
                [json.dumps(data) for _kind, _at, data in events],
            ],
        )
        row = cursor.fetchone()
    return None if row is None else _JOBS.instance(row)


def row_copy(source: Job, target: Job) -> None:
    """Copy all columns of `source` into `target`."""
    for field in Job._meta.concrete_fields:
        setattr(target, field.attname, getattr(source, field.attname))


_JOBS = CompiledInstances(Job.objects.all)  # its columns are those of _COLUMNS
_COLUMNS = ", ".join(f'"{field.column}"' for field in Job._meta.concrete_fields)
_CHANGE = """
WITH changed AS (
    {update} RETURNING {columns}
), event AS (
    INSERT INTO jobs_jobevent (job_id, seq, at, attempt, kind, actor, data)
    SELECT changed.id, changed.event_seq - %s + given.n, given.at, %s, given.kind, %s,
        given.data::jsonb
    FROM changed, unnest(%s::timestamptz[], %s::text[], %s::text[]) WITH ORDINALITY
        AS given (at, kind, data, n)
)
SELECT {columns} FROM changed
"""
