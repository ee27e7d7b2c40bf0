"""Layout of a pipeline graph in layers from left to right, and the memory plot. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

NODE_WIDTH, NODE_HEIGHT = 168, 48
GAP_X, GAP_Y = 36, 16
LANE_HEIGHT = 8  # height of an edge that passes a layer
EDGE = 1  # margin for a node's border
NODES_MAX = 60  # larger graphs are drawn only on request; the default is the list
DRAWN_MAX = 500


@dataclass(frozen=True, slots=True)
class Node:
    """One step and its position, in pixels."""

    id: str
    uses: str
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class Drawing:
    """Complete graph. `edges`: (from, to, path of the curve)."""

    width: int
    height: int
    nodes: list[Node]
    edges: list[tuple[str, str, str]]


def draw(
    nodes: Sequence[Mapping[str, str]], edges: Iterable[Sequence[str]], most: int = NODES_MAX
) -> Drawing | None:
    """Lay out `nodes` ({"id", "uses"}) and `edges` ([from, to]).

    None if there is nothing to draw or more than `most` nodes.
    """
    if not 1 <= len(nodes) <= most:
        return None
    uses = {node["id"]: node["uses"] for node in nodes}
    arrows = [(edge[0], edge[1]) for edge in edges if edge[0] in uses and edge[1] in uses]
    layer = _layers(list(uses), arrows)
    columns: list[list[str]] = [[] for _ in range(max(layer.values()) + 1)]
    for name in uses:
        columns[layer[name]].append(name)
    routes = _routes(arrows, layer, columns)
    _order(columns, routes)
    top = _tops(columns, uses)
    height = max(top[column[-1]] + _height(column[-1], uses) for column in columns) + EDGE
    placed = [Node(name, uses[name], _left(layer[name]), top[name]) for name in uses]
    middle = {name: top[name] + _height(name, uses) // 2 for name in top}
    width = _left(len(columns)) - GAP_X + EDGE
    return Drawing(
        width,
        height,
        placed,
        [
            (a, b, _curve(route, layer[a], middle))
            for (a, b), route in zip(arrows, routes, strict=True)
        ],
    )


def _left(depth: int) -> int:
    return EDGE + depth * (NODE_WIDTH + GAP_X)


def _height(name: str, uses: Mapping[str, str]) -> int:
    """Height of a node, or of a lane where an edge passes a layer."""
    return NODE_HEIGHT if name in uses else LANE_HEIGHT


def _layers(ids: Sequence[str], arrows: Sequence[tuple[str, str]]) -> dict[str, int]:
    """Return the layer of each node: the length of the longest path to it.

    The loop also ends for a cycle, which is impossible in a saved pipeline.
    """
    layer = dict.fromkeys(ids, 0)
    for _ in ids:
        changed = False
        for before, after in arrows:
            if layer[after] <= layer[before] < len(ids):
                layer[after] = layer[before] + 1
                changed = True
        if not changed:
            break
    used = sorted(set(layer.values()))
    return {name: used.index(depth) for name, depth in layer.items()}


def _routes(
    arrows: Sequence[tuple[str, str]], layer: Mapping[str, int], columns: list[list[str]]
) -> list[list[str]]:
    """Nodes and lanes of each edge: start, a lane in every layer between, end.

    Adds the lanes to `columns`.
    """
    routes = []
    for before, after in arrows:
        lanes = [
            f"{before} {after} {depth}" for depth in range(layer[before] + 1, layer[after])
        ]  # ids have no spaces
        for depth, lane in enumerate(lanes, start=layer[before] + 1):
            columns[depth].append(lane)
        routes.append([before, *lanes, after])
    return routes


def _order(columns: list[list[str]], routes: Sequence[Sequence[str]]) -> None:
    """Sort each column by the mean position of its predecessors, to reduce crossings."""
    before: dict[str, list[str]] = {}
    for route in routes:
        for one, following in pairwise(route):
            before.setdefault(following, []).append(one)
    place: dict[str, float] = {}
    for column in columns:
        means = {
            name: [place[one] for one in before.get(name, []) if one in place] for name in column
        }
        column.sort(key=lambda name: sum(means[name]) / len(means[name]) if means[name] else 0.0)
        place |= {name: row - (len(column) - 1) / 2 for row, name in enumerate(column)}


def _tops(columns: Sequence[Sequence[str]], uses: Mapping[str, str]) -> dict[str, int]:
    """Top of each node and lane; columns are centred on each other."""
    heights = [sum(_height(name, uses) + GAP_Y for name in column) - GAP_Y for column in columns]
    tops: dict[str, int] = {}
    for column, height in zip(columns, heights, strict=True):
        at = EDGE + (max(heights) - height) // 2
        for name in column:
            tops[name] = at
            at += _height(name, uses) + GAP_Y
    return tops


def _curve(route: Sequence[str], depth: int, middle: Mapping[str, int]) -> str:
    """Curve from the right edge of the first node along the lanes to the left edge of the last."""
    path = f"M{_left(depth) + NODE_WIDTH} {middle[route[0]]}"
    for step, (one, following) in enumerate(pairwise(route)):
        x1, x2 = _left(depth + step) + NODE_WIDTH, _left(depth + step + 1)
        y1, y2, half = middle[one], middle[following], (x1 + x2) // 2
        path += f"C{half} {y1} {half} {y2} {x2} {y2}"
        if step < len(route) - 2:
            path += f"H{x2 + NODE_WIDTH}"
    return path


@dataclass(frozen=True, slots=True)
class Plot:
    """Memory over time: SVG paths in a box of `width` by `height`, and tick labels."""

    width: int
    height: int
    line: str
    area: str
    limit_y: float | None
    ticks: list[tuple[float, int]]  # (y, bytes)
    last: tuple[float, float]
    left: int
    right: int


LEFT, TOP, BOTTOM, RIGHT = 52, 18, 22, 8


def plot(
    points: Sequence[tuple[float, int]], limit: int | None, *, width: int = 290, height: int = 150
) -> Plot | None:
    """Draw memory over time. `points`: sorted (seconds, bytes); None with fewer than two."""
    if len(points) < 2 or points[-1][0] <= points[0][0]:
        return None
    first, last = points[0][0], points[-1][0]
    top = max([value for _, value in points] + ([limit] if limit else [])) or 1
    floor = height - BOTTOM

    def across(seconds: float) -> float:
        return round(LEFT + (seconds - first) / (last - first) * (width - LEFT - RIGHT), 1)

    def up(value: float) -> float:
        return round(floor - value / top * (floor - TOP), 1)

    line = "M" + "L".join(f"{across(seconds)} {up(value)}" for seconds, value in points)
    area = f"{line}L{across(last)} {floor}L{across(first)} {floor}Z"
    ticks = [(up(top * part / 2), round(top * part / 2)) for part in range(3)]
    end = (across(last), up(points[-1][1]))
    return Plot(
        width, height, line, area, up(limit) if limit else None, ticks, end, LEFT, width - RIGHT
    )
