"""Lineage graph of a version."""

from typing import TypedDict


class LineageNode(TypedDict):
    """Dataset, model, pipeline, twin or job in a lineage."""

    id: str
    kind: str
    name: str
    version: int | None
    job_type: str | None
    status: str | None
    at: str
    by: str | None


LineageEdge = TypedDict("LineageEdge", {"from": str, "to": str})


class Lineage(TypedDict):
    """Lineage of a version; edges point in the direction of the data flow."""

    of: str
    nodes: list[LineageNode]
    edges: list[LineageEdge]
    truncated: bool
