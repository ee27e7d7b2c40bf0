"""Waiting jobs in large numbers, inserted directly into the table."""

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg.types.json import Jsonb

from jobs.core.bulk import insert_many
from jobs.models import Job
from mimir.lib.ids import uuid7


def requests(cpu_millicores: int, memory_bytes: int, gpus: int = 0) -> dict[str, Any]:
    """Return the `resources` of a job with these requests and equal limits."""
    amounts = {"cpu_millicores": cpu_millicores, "memory_bytes": memory_bytes, "gpus": gpus}
    return {"limits": amounts, "requests": amounts}


def jobs_queued(job: Job, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
    """Insert one waiting job like `job` for each row, with the row's columns; return their ids.

    All rows have the same columns. `resources` is a plain dict.
    """
    columns = {name: [row[name] for row in rows] for name in (rows[0] if rows else ())}
    columns["id"] = [uuid7() for _row in rows]
    if "resources" in columns:
        columns["resources"] = [Jsonb(each) for each in columns["resources"]]
    fields = [field for field in Job._meta.concrete_fields if field.column not in columns]
    insert_many(
        Job, columns, **{str(field.column): getattr(job, field.attname) for field in fields}
    )
    return columns["id"]
