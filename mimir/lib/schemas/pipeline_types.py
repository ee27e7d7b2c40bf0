"""Types of pipeline definitions and of their graphs. Pure: server processes may import it."""

from typing import Any, NotRequired, TypedDict

# `with`: the fields of its step type. `needs`: ids of steps.
PipelineStep = TypedDict(
    "PipelineStep",
    {"id": str, "uses": str, "with": dict[str, Any], "needs": NotRequired[list[str]]},
)


class PipelineDefinition(TypedDict):
    """A checked definition."""

    steps: list[PipelineStep]


class StepNode(TypedDict):
    """A step in a graph."""

    id: str
    uses: str


class StepGraph(TypedDict):
    """The graph of a definition. Each edge is [from, to], by step id."""

    nodes: list[StepNode]
    edges: list[list[str]]
