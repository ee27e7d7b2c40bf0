"""What a version was made from, and what was made from it: a graph of versions and the jobs between them.

It is read from the rows that say what each job was fixed on and what it made. A job that used a version is there however it ended, or
has not; one that is kept no longer took its links with it. A twin's earlier revisions are its history, which has addresses of its own:
an update is shown with the data it read, not with the state it found.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.db.models import Model, Q

from jobs.models import Job, JobInput, JobOutput
from mimir.lib.errors import NotFound
from projects.datasets.read import dataset_version_get
from projects.model_registry.read import model_version_get
from projects.models import DatasetVersion, ModelVersion, PipelineVersion, Project, TwinRevision

NODES_MAX = 200


class NodeKind(StrEnum):
    """What stands in a lineage."""

    DATASET = "dataset"
    MODEL = "model"
    PIPELINE = "pipeline"
    TWIN = "twin"
    JOB = "job"


_Key = tuple[NodeKind, UUID]
_Edge = tuple[_Key, _Key]  # in the direction of data
_Found = Iterator[tuple[_Edge, Model]]  # an edge, and the row at its end that is further away

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
    """Nodes and edges as the API shows them; `truncated`: there is more, further away."""

    of: str
    nodes: list[dict[str, Any]]
    edges: list[dict[str, str]]
    truncated: bool


def lineage_of(*, project: Project, kind: NodeKind, name: str, number: int | None) -> Lineage:
    """The lineage of one version, the newest without a number: both ways, the nearest `NODES_MAX` nodes. Raises: NotFound.

    Two queries at most for each step away from it in each direction.
    """
    start = _version(project, kind, name, number)
    walk = _Walk(project)
    walk.nodes[kind, start.pk] = start
    up: list[_Key] = [(kind, start.pk)]
    down = list(up)
    while up or down:
        up = walk.step(up, _makers, _read)
        down = walk.step(down, _users, _made)
    names = {key: _shown(key, row) for key, row in walk.nodes.items()}
    edges = [{"from": names[tail]["id"], "to": names[head]["id"]} for tail, head in walk.edges]
    return Lineage(names[kind, start.pk]["id"], list(names.values()), edges, walk.truncated)


def _version(project: Project, kind: NodeKind, name: str, number: int | None) -> Model:
    """Raises: NotFound."""
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
            f"There is no {name}{f' revision {number}' if number else ''} among this project's twins."
        )
    return revision


_Reader = Callable[[Project, Collection[_Key]], _Found]


@dataclass(slots=True)
class _Walk:
    """What is found so far, in the order it was found: the nearest first."""

    project: Project
    nodes: dict[_Key, Model] = field(default_factory=dict)
    edges: dict[_Edge, None] = field(default_factory=dict)
    truncated: bool = False

    def step(self, frontier: list[_Key], of_versions: _Reader, of_jobs: _Reader) -> list[_Key]:
        """One step away from `frontier`; the nodes that are new."""
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
    """Rows that name one of the versions."""
    named = Q()
    for kind, column in columns.items():
        if ids := _ids(keys, kind):
            named |= Q(**{f"{column}_id__in": ids})
    return named or Q(pk__in=[])


def _ends(row: JobInput | JobOutput, columns: dict[NodeKind, str]) -> Iterable[tuple[_Key, str]]:
    """The version that a row names, with its column."""
    for kind, column in columns.items():
        identity = getattr(row, f"{column}_id")
        if identity is not None:
            yield (kind, identity), column


def _jobs(
    rows: Any, project: Project, keys: Collection[_Key], columns: dict[NodeKind, str]
) -> Iterator[tuple[_Key, Job]]:
    """Versions, each with a job that names it: the newest jobs first, one more than there is room for."""
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
    """Versions that jobs name, each with the job's id."""
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


def _read(project: Project, keys: Collection[_Key]) -> _Found:
    for key, job_id, version in _versions(JobInput.objects, project, keys, _INPUTS):
        yield (key, (NodeKind.JOB, job_id)), version


def _made(project: Project, keys: Collection[_Key]) -> _Found:
    for key, job_id, version in _versions(JobOutput.objects, project, keys, _OUTPUTS):
        yield ((NodeKind.JOB, job_id), key), version


def _shown(key: _Key, row: Any) -> dict[str, Any]:
    kind = key[0]
    facts: dict[str, Any] = {
        "kind": kind.value,
        "at": row.created_at,
        "by": row.created_by.get_username() if row.created_by else None,
    }
    if isinstance(row, Job):
        return {
            "id": f"job:{row.pk}",
            "name": row.name,
            "version": None,
            "job_type": row.type,
            "status": row.status,
            **facts,
        }
    assert isinstance(row, DatasetVersion | ModelVersion | PipelineVersion | TwinRevision)
    name = getattr(row, _OWNERS[kind]).name
    return {
        "id": f"{kind}:{name}@{row.number}",
        "name": name,
        "version": row.number,
        "job_type": None,
        "status": None,
        **facts,
    }
