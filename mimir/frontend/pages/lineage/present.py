"""Present the lineage of a version, for `templates/_lineage.html`. Pure.

`graph` is the API's answer: nodes, and edges in the direction of the data flow.
"""

from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import quote

from mimir.frontend import formatting
from mimir.frontend.api_types.lineage_shapes import Lineage, LineageEdge, LineageNode
from mimir.frontend.job_types import type_icon, type_title
from mimir.frontend.pages.pipelines import graph_layout
from mimir.frontend.pages.shell import job_path, project_path
from mimir.frontend.template_context import Context

SHOWN = 8  # nodes of one group
_LIBRARY = {"dataset": "datasets", "model": "models", "pipeline": "pipelines", "twin": "twins"}
_ICONS = {
    "dataset": "dataset",
    "model": "model",
    "pipeline": "pipeline_execution",
    "twin": "digital_twin_update",
}
_KINDS = {"dataset": "Dataset", "model": "Model", "pipeline": "Pipeline", "twin": "Twin"}
NOTHING: Lineage = {"of": "", "nodes": [], "edges": [], "truncated": False}


def lineage_of(graph: Lineage, slug: str) -> Context | None:
    """Present direct neighbours, the whole graph, and upstream and downstream lists.

    None if the graph does not contain the version itself.
    """
    nodes = {node["id"]: node for node in graph["nodes"]}
    here = graph["of"]
    if here not in nodes:
        return None
    sources, targets = _neighbours(graph["edges"], nodes)
    makers, users = sources.get(here, []), targets.get(here, [])
    items = {name: _item(node, slug) for name, node in nodes.items()}
    before = _beyond(makers, sources, nodes)
    after = [name for name in _beyond(users, targets, nodes) if name != here]
    return {
        "inputs": _group(before, items),
        "makers": _group(_jobs(makers, nodes), items),
        "here": items[here],
        "users": _group(_jobs(users, nodes), items),
        "outputs": _group(after, items),
        "upstream": [items[name] for name in _reached(here, sources)],
        "downstream": [items[name] for name in _reached(here, targets)],
        "drawing": _drawing(graph, nodes, items),
        "truncated": graph["truncated"],
    }


def _drawing(
    graph: Lineage, nodes: Mapping[str, LineageNode], items: Mapping[str, Context]
) -> Context | None:
    """Draw the lineage as a graph; None if it has one edge only or is too large."""
    if len(nodes) < 3:
        return None
    drawn = graph_layout.draw(
        [{"id": name, "uses": ""} for name in nodes],
        [(edge["from"], edge["to"]) for edge in graph["edges"]],
    )
    if drawn is None:
        return None
    shown = [
        {"x": node.x, "y": node.y, "item": items[node.id], "here": node.id == graph["of"]}
        for node in drawn.nodes
    ]
    return {
        "width": drawn.width,
        "height": drawn.height,
        "nodes": shown,
        "edges": [path for _, _, path in drawn.edges],
    }


Neighbours = dict[str, list[str]]


def _neighbours(
    edges: Iterable[LineageEdge], nodes: Mapping[str, LineageNode]
) -> tuple[Neighbours, Neighbours]:
    """Return (sources of each node, targets of each node)."""
    sources: Neighbours = {}
    targets: Neighbours = {}
    for edge in edges:
        if edge["from"] in nodes and edge["to"] in nodes:
            sources.setdefault(edge["to"], []).append(edge["from"])
            targets.setdefault(edge["from"], []).append(edge["to"])
    return sources, targets


def _jobs(names: Iterable[str], nodes: Mapping[str, LineageNode]) -> list[str]:
    return [name for name in names if nodes[name]["kind"] == "job"]


def _beyond(
    names: Sequence[str], further: Neighbours, nodes: Mapping[str, LineageNode]
) -> list[str]:
    """Names that are not jobs, and the neighbours of the jobs among `names`; without duplicates."""
    found = [name for name in names if nodes[name]["kind"] != "job"]
    for job in _jobs(names, nodes):
        found += [name for name in further.get(job, []) if nodes[name]["kind"] != "job"]
    return list(dict.fromkeys(found))


def _reached(start: str, further: Neighbours) -> list[str]:
    """List all nodes in one direction, nearest first."""
    reached = [start]
    for one in reached:  # the list grows during the iteration
        reached += [name for name in dict.fromkeys(further.get(one, [])) if name not in reached]
    return reached[1:]


def _group(names: Sequence[str], items: Mapping[str, Context]) -> Context:
    return {"items": [items[name] for name in names[:SHOWN]], "more": max(0, len(names) - SHOWN)}


def _item(node: LineageNode, slug: str) -> Context:
    """Present one node with its link."""
    if node["kind"] == "job":
        word = type_title(node["job_type"]) if node.get("job_type") else "Job"
        return {
            **_common(node),
            "icon": type_icon(node.get("job_type")),
            "kind": word,
            "name": node.get("name") or word,
            "version": "",
            "short": formatting.short_id(str(node["id"]).partition(":")[2]),
            "url": f"/{job_path(str(node['id']).partition(':')[2])}",
        }
    kind, version = node["kind"], node.get("version")
    parts = [_LIBRARY.get(kind, "datasets"), str(node["name"])]
    query = ""
    if version is not None and kind == "twin":
        parts += ["revisions", str(version)]
    elif version is not None:
        query = f"?version={quote(str(version))}"
    return {
        **_common(node),
        "icon": _ICONS.get(kind, "dataset"),
        "kind": _KINDS.get(kind, kind),
        "name": node["name"],
        "version": "" if version is None else f"rev {version}" if kind == "twin" else f"v{version}",
        "short": "",
        "url": f"/{project_path(slug, *parts)}{query}",
    }


def _common(node: LineageNode) -> Context:
    return {"status": node.get("status") or "", "at": node.get("at"), "by": node.get("by") or ""}
