"""Pipelines, their versions and the check of a definition."""

from typing import NotRequired, TypedDict

from mimir.lib.json_types import Json


class PipelineVersion(TypedDict):
    """Version of a pipeline."""

    number: int
    definition: Json
    created_at: str
    created_by: str | None


class Pipeline(TypedDict):
    """Pipeline with its newest version."""

    name: str
    created_at: str
    version: PipelineVersion


class PipelineVersions(TypedDict):
    """Pipeline with a page of its versions."""

    name: str
    created_at: str
    versions: list[PipelineVersion]
    next: str | None


class DefinitionFault(TypedDict):
    """Warning about a definition."""

    path: str
    message: str
    detail: NotRequired[str]


class SavedPipeline(TypedDict):
    """Pipeline after saving; `created` is false without a change."""

    name: str
    created_at: str
    version: PipelineVersion
    created: bool
    warnings: list[DefinitionFault]


class GraphNode(TypedDict):
    """Step of a pipeline graph."""

    id: str
    uses: str


class Graph(TypedDict):
    """Graph of a pipeline; edges are [from, to]."""

    nodes: list[GraphNode]
    edges: list[list[str]]


class CheckFault(TypedDict):
    """Error in a definition."""

    path: str
    message: str
    detail: NotRequired[str]
    kind: str


class CheckedStep(TypedDict):
    """Step with the result of its check."""

    id: str
    uses: str
    status: str
    message: str


class DefinitionCheck(TypedDict):
    """Check of a definition."""

    valid: bool
    can_be_saved: bool
    errors: list[CheckFault]
    steps: list[CheckedStep]
    summary: str
    graph: Graph
