"""Sources of values: the revision, with its dataset version, its job and its user."""

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from projects.core.origins import VersionKind, version_origins
from projects.models import Twin, TwinRevision


@dataclass(frozen=True, slots=True)
class Source:
    """A revision as the source of a value. `dataset`: name and version that an update read."""

    revision: int
    kind: str
    at: dt.datetime
    by: str | None
    note: str
    job: UUID | None
    dataset: tuple[str, int] | None


def sources_of(*, twin: Twin, numbers: Collection[int]) -> dict[int, Source]:
    """Return the sources by revision number, with two queries."""
    rows = list(
        TwinRevision.objects.filter(twin=twin, number__in=set(numbers)).select_related(
            "created_by", "dataset_version__dataset"
        )
    )
    jobs = version_origins(VersionKind.TWIN, [row.id for row in rows])
    return {row.number: source_of(row, jobs.get(row.id)) for row in rows}


def source_of(row: TwinRevision, job: UUID | None) -> Source:
    """Return the source of a revision that was fetched with its author and its dataset."""
    version = row.dataset_version
    return Source(
        revision=row.number,
        kind=row.kind,
        at=row.created_at,
        by=row.created_by.get_username() if row.created_by else None,
        note=row.note,
        job=job,
        dataset=(version.dataset.name, version.number) if version else None,
    )
