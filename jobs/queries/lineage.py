"""Lineage of a version: the graph of the versions from which it was made and those made from it.

Built from the inputs and outputs of jobs. A job that read a version appears whatever its status.
The links of a job are deleted with the job. Earlier revisions of a twin are not in the graph: an
update appears with the data that it read, not with the state from which it started.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.db.models import Model, Q

from jobs.models import Job, JobInput, JobOutput
from jobs.queries.shapes import LineageEdgeBody, LineageNodeBody
from mimir.lib.errors import NotFound
from projects.datasets.read import dataset_version_get
from projects.model_registry.read import model_version_get
from projects.models import Project, TwinRevision

NODES_MAX = 200


class NodeKind(StrEnum):
    """Kind of a lineage node."""

    DATASET = "dataset"
    MODEL = "model"
    PIPELINE = "pipeline"
    TWIN = "twin"
    JOB = "job"


_Key = tuple[NodeKind, UUID]
_Edge = tuple[_Key, _Key]  # in the direction of data
_Found = Iterator[tuple[_Edge, Model]]  # an edge and the row at its far end

_INPUTS = {
    NodeKind.DATASET: "dataset_version",
    NodeKind.MODEL: "model_version",
    NodeKind.PIPELINE: "pipeline_version",
}
_OUTPUTS = {
    NodeKind.DATASET: "dataset_version",
    NodeKind.MODEL: "model_version",
    NodeKind.TWIN: "twin_revision",
}
_OWNERS = {
    NodeKind.DATASET: "dataset",
    NodeKind.MODEL: "model",
    NodeKind.PIPELINE: "pipeline",
    NodeKind.TWIN: "twin",
}


@dataclass(frozen=True, slots=True)
class Lineage:
    """Nodes and edges of the API body. `truncated`: more distant nodes exist."""

    of: str
    nodes: list[LineageNodeBody]
    edges: list[LineageEdgeBody]
    truncated: bool


def lineage_of(*, project: Project, kind: NodeKind, name: str, number: int | None) -> Lineage:
    """Return the lineage of one version, by default the newest, in both directions.

    At most the nearest `NODES_MAX` nodes. At most two queries per step and direction. Raises:
    NotFound.
    """
    start = _version(project, kind, name, number)
    walk = _Walk(project)
    walk.nodes[kind, start.pk] = start
    up: list[_Key] = [(kind, start.pk)]
    down = list(up)
    while up or down:
        up = walk.step(up, _makers, _job_inputs)
        down = walk.step(down, _users, _job_outputs)
    return _lineage(walk, (kind, start.pk))


def lineage_of_job(*, job: Job) -> Lineage:
    """Return a job with the versions that it read and made."""
    walk, start = _Walk(job.project), (NodeKind.JOB, job.pk)
    walk.nodes[start] = job
    walk.step([start], _makers, _job_inputs)
    walk.step([start], _users, _job_outputs)
    return _lineage(walk, start)


def _lineage(walk: "_Walk", start: "_Key") -> Lineage:
    names = {key: _node(key, row) for key, row in walk.nodes.items()}
    edges: list[LineageEdgeBody] = [
        {"from": names[tail]["id"], "to": names[head]["id"]} for tail, head in walk.edges
    ]
    return Lineage(names[start]["id"], list(names.values()), edges, walk.truncated)


def _version(project: Project, kind: NodeKind, name: str, number: int | None) -> Model:
    """Return the version. Raises: NotFound."""
    if kind is NodeKind.DATASET:
        return dataset_version_get(project=project, name=name, number=number)
    if kind is NodeKind.MODEL:
        return model_version_get(project=project, name=name, number=number)
    revisions = TwinRevision.objects.filter(twin__project=project, twin__name=name).select_related(
        "twin", "created_by"
    )
    revision = (
        (revisions if number is None else revisions.filter(number=number))
        .order_by("-number")
        .first()
    )
    if revision is None:
        raise NotFound(
            f"This project has no twin {name}{f' with revision {number}' if number else ''}."
        )
    return revision


_Reader = Callable[[Project, Collection[_Key]], _Found]


@dataclass(slots=True)
class _Walk:
    """Nodes and edges found so far, the nearest first."""

    project: Project
    nodes: dict[_Key, Model] = field(default_factory=dict)
    edges: dict[_Edge, None] = field(default_factory=dict)
    truncated: bool = False

    def step(self, frontier: list[_Key], of_versions: _Reader, of_jobs: _Reader) -> list[_Key]:
        """Walk one step from `frontier`; return the new nodes."""
        jobs = [key for key in frontier if key[0] is NodeKind.JOB]
        versions = [key for key in frontier if key[0] is not NodeKind.JOB]
        found: list[_Key] = []
        for keys, reader in ((versions, of_versions), (jobs, of_jobs)):
            if keys:
                found += self._add(keys, reader(self.project, keys))
        return found

    def _add(self, frontier: list[_Key], rows: _Found) -> list[_Key]:
        near, added = set(frontier), []
        for count, ((tail, head), row) in enumerate(rows):
            far = head if tail in near else tail
            if far not in self.nodes and len(self.nodes) < NODES_MAX:
                self.nodes[far] = row
                added.append(far)
            if far in self.nodes:
                self.edges[tail, head] = None
            self.truncated |= far not in self.nodes or count == NODES_MAX
        return added


def _ids(keys: Collection[_Key], kind: NodeKind) -> list[UUID]:
    return [identity for of, identity in keys if of is kind]


def _any_of(columns: dict[NodeKind, str], keys: Collection[_Key]) -> Q:
    """Return the condition for rows that refer to one of the versions."""
    named = Q()
    for kind, column in columns.items():
        if ids := _ids(keys, kind):
            named |= Q(**{f"{column}_id__in": ids})
    return named or Q(pk__in=[])


def _ends(row: JobInput | JobOutput, columns: dict[NodeKind, str]) -> Iterable[tuple[_Key, str]]:
    """Yield the version to which a row refers, with its column."""
    for kind, column in columns.items():
        identity = getattr(row, f"{column}_id")
        if identity is not None:
            yield (kind, identity), column


def _jobs(
    rows: Any, project: Project, keys: Collection[_Key], columns: dict[NodeKind, str]
) -> Iterator[tuple[_Key, Job]]:
    """Yield the versions in `keys` with the jobs whose `rows` refer to them, newest jobs first.

    Reads one row more than NODES_MAX, to detect that the graph is truncated.
    """
    named = (
        rows.filter(_any_of(columns, keys), job__project=project)
        .select_related("job__created_by")
        .order_by("-job_id", "id")
    )
    for row in named[: NODES_MAX + 1]:
        for key, _ in _ends(row, columns):
            yield key, row.job


def _versions(
    rows: Any, project: Project, keys: Collection[_Key], columns: dict[NodeKind, str]
) -> Iterator[tuple[_Key, UUID, Model]]:
    """Yield the versions to which the `rows` of the jobs in `keys` refer, with the job's id."""
    owners = [f"{column}__{_OWNERS[kind]}" for kind, column in columns.items()]
    authors = [f"{column}__created_by" for column in columns.values()]
    named = Q()
    for column in columns.values():
        named |= Q(**{f"{column}__isnull": False})
    found = (
        rows.filter(named, job_id__in=_ids(keys, NodeKind.JOB), job__project=project)
        .select_related(*owners, *authors)
        .order_by("-job_id", "id")
    )
    for row in found[: NODES_MAX + 1]:
        for key, column in _ends(row, columns):
            yield key, row.job_id, getattr(row, column)


def _makers(project: Project, keys: Collection[_Key]) -> _Found:
    for key, job in _jobs(JobOutput.objects, project, keys, _OUTPUTS):
        yield ((NodeKind.JOB, job.pk), key), job


def _users(project: Project, keys: Collection[_Key]) -> _Found:
    for key, job in _jobs(JobInput.objects, project, keys, _INPUTS):
        yield (key, (NodeKind.JOB, job.pk)), job


def _job_inputs(project: Project, keys: Collection[_Key]) -> _Found:
    for key, job_id, version in _versions(JobInput.objects, project, keys, _INPUTS):
        yield (key, (NodeKind.JOB, job_id)), version


def _job_outputs(project: Project, keys: Collection[_Key]) -> _Found:
    for key, job_id, version in _versions(JobOutput.objects, project, keys, _OUTPUTS):
        yield ((NodeKind.JOB, job_id), key), version


def _node(key: _Key, row: Any) -> LineageNodeBody:
    kind = key[0]
    job = row if isinstance(row, Job) else None
    name = row.name if job is not None else getattr(row, _OWNERS[kind]).name
    return {
        "id": f"job:{row.pk}" if job is not None else f"{kind}:{name}@{row.number}",
        "kind": kind.value,
        "name": name,
        "version": None if job is not None else row.number,
        "job_type": job.type if job is not None else None,
        "status": job.status if job is not None else None,
        "at": row.created_at,
        "by": row.created_by.get_username() if row.created_by else None,
    }
