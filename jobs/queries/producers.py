"""Runs of producers. A producer is a job type together with the name of `jobs.models.producer`."""

import statistics
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import F, OuterRef, QuerySet, Subquery, Value

from jobs.contract import JobStatus
from jobs.models import Job, JobOutput, producer
from jobs.models.expressions import producer_name
from jobs.queries.shapes import ProducerBody
from jobs.types.registry import derived_title
from projects.datasets.read import dataset_current_versions
from projects.models import DatasetVersion, ModelVersion, Project, RevisionKind, Twin, TwinRevision

PRODUCERS_MAX, RUNS_MAX = 12, 20
Producer = tuple[str, str]  # (job type, name of the pipeline, dataset, model or twin)


@dataclass(frozen=True, slots=True)
class Run:
    """Job of a producer; `seconds` from first claim to end, None while unknown."""

    job: UUID
    status: str
    seconds: float | None
    finished_at: Any


def producer_of(job_type: str, parameters: Mapping[str, Any]) -> Producer:
    """Return a job's producer, equal to the one that the database computes."""
    return job_type, producer_name(parameters)


def producer_title(job_type: str, parameters: Mapping[str, Any]) -> str:
    """Return the title of all runs of a producer."""
    return derived_title(job_type, parameters, of_producer=True)


def runs_of(*, project: Project, producers: Iterable[Producer]) -> dict[Producer, list[Run]]:
    """Return the last runs of each producer, oldest first, with one indexed query."""
    wanted = list(dict.fromkeys(producers))
    found: dict[Producer, list[Run]] = {each: [] for each in wanted}
    if not wanted:
        return found
    rows = _union(_runs(project, each) for each in wanted)
    for job_id, job_type, name, status, started_at, finished_at, _created_at in sorted(
        rows, key=lambda row: (row[6], row[0])
    ):
        seconds = (finished_at - started_at).total_seconds() if started_at and finished_at else None
        found[job_type, name].append(Run(job_id, status, seconds, finished_at))
    return found


def _runs(project: Project, of: Producer) -> "QuerySet[Job, Any]":
    jobs = (
        Job.objects.filter(project=project, type=of[0])
        .annotate(producer=producer())
        .filter(producer=of[1])
    )
    return jobs.order_by("-created_at").values_list(
        "id", "type", "producer", "status", "started_at", "finished_at", "created_at"
    )[:RUNS_MAX]


def _union(parts: Iterable["QuerySet[Job, Any]"]) -> "QuerySet[Job, Any]":
    first, *others = parts
    return first.union(*others, all=True) if others else first


def usual_seconds(runs: Iterable[Run]) -> float | None:
    """Return the median duration of the successful runs."""
    seconds = [
        run.seconds for run in runs if run.status == JobStatus.SUCCEEDED and run.seconds is not None
    ]
    return statistics.median(seconds) if seconds else None


def latest_results(*, project: Project) -> list[ProducerBody]:
    """Return each dataset, model and twin whose newest version a job made, newest first.

    At most PRODUCERS_MAX, each with the last runs of its producer. Manual edits of a twin do not
    count.
    """
    outputs = [row for kind in _NEWEST for row in _outputs(project, kind)]
    newest = sorted(outputs, key=lambda row: row["at"], reverse=True)[:PRODUCERS_MAX]
    runs = runs_of(
        project=project,
        producers=[producer_of(row["job__type"], row["job__parameters"]) for row in newest],
    )
    return [
        _result_dict(row, runs[producer_of(row["job__type"], row["job__parameters"])])
        for row in newest
    ]


def _outputs(project: Project, kind: str) -> Iterable[Mapping[str, Any]]:
    column, owner, newest = _NEWEST[kind]
    named = {
        "kind": Value(kind),
        "name": F(f"{column}__{owner}__name"),
        "version": F(f"{column}__number"),
        "at": F(f"{column}__created_at"),
    }
    outputs = JobOutput.objects.filter(**{f"{column}__in": newest(project)}).order_by(
        f"-{column}__created_at"
    )
    rows: Iterable[Any] = outputs.values(
        "job__type", "job__parameters", "job__finished_at", **named
    )[:PRODUCERS_MAX]
    return rows


def _result_dict(row: Mapping[str, Any], runs: list[Run]) -> ProducerBody:
    return {
        "kind": row["kind"],
        "name": row["name"],
        "version": row["version"],
        "job_type": row["job__type"],
        "title": producer_title(row["job__type"], row["job__parameters"]),
        "last": [
            {
                "job": run.job,
                "status": run.status,
                "seconds": run.seconds,
                "finished_at": run.finished_at,
            }
            for run in runs
        ],
        "usual_seconds": usual_seconds(runs),
        "last_good_at": max(
            (run.finished_at for run in runs if run.status == JobStatus.SUCCEEDED),
            default=row["job__finished_at"],
        ),
    }


def _newest_datasets(project: Project) -> "QuerySet[DatasetVersion, Any]":
    return dataset_current_versions(project=project).values("id")


def _newest_models(project: Project) -> "QuerySet[ModelVersion, Any]":
    return ModelVersion.objects.filter(
        model__project=project, number=F("model__latest_number")
    ).values("id")


def _newest_updates(project: Project) -> "QuerySet[Twin, Any]":
    """Select the newest revision of each twin among those that an update made.

    Edits make revisions without a job.
    """
    updates = TwinRevision.objects.filter(twin=OuterRef("id"), kind=RevisionKind.UPDATE).order_by(
        "-number"
    )
    return (
        Twin.objects.filter(project=project)
        .annotate(newest=Subquery(updates.values("id")[:1]))
        .values("newest")
    )


_NEWEST: dict[str, tuple[str, str, Callable[[Project], Any]]] = {
    "dataset": ("dataset_version", "dataset", _newest_datasets),
    "model": ("model_version", "model", _newest_models),
    "twin": ("twin_revision", "twin", _newest_updates),
}
