"""Where the nodes and edges of a pipeline's graph are drawn: layers from left to right. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

NODE_WIDTH, NODE_HEIGHT = 168, 48
GAP_X, GAP_Y = 36, 16
EDGE = 1  # room for a node's border
NODES_MAX = 60  # above it a picture says less than a list


@dataclass(frozen=True, slots=True)
class Node:
    """One step at its place, in pixels of the drawing."""

    id: str
    uses: str
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class Drawing:
    """A whole graph. `edges`: (from, to, path of the curve)."""

    width: int
    height: int
    nodes: list[Node]
    edges: list[tuple[str, str, str]]


def draw(nodes: Sequence[Mapping[str, str]], edges: Iterable[Sequence[str]]) -> Drawing | None:
    """The drawing of `nodes` ({"id", "uses"}) and `edges` ([from, to]); None when there is nothing or too much to draw."""
    if not 1 <= len(nodes) <= NODES_MAX:
        return None
    ids = {node["id"] for node in nodes}
    arrows = [(edge[0], edge[1]) for edge in edges if edge[0] in ids and edge[1] in ids]
    layer = _layers([node["id"] for node in nodes], arrows)
    columns: dict[int, list[Mapping[str, str]]] = {}
    for node in nodes:
        columns.setdefault(layer[node["id"]], []).append(node)
    _order(columns, arrows)
    tallest = max(len(column) for column in columns.values())
    height = tallest * (NODE_HEIGHT + GAP_Y) - GAP_Y + 2 * EDGE
    placed: dict[str, Node] = {}
    for depth, column in columns.items():
        top = (height - (len(column) * (NODE_HEIGHT + GAP_Y) - GAP_Y)) // 2
        for row, node in enumerate(column):
            x, y = EDGE + depth * (NODE_WIDTH + GAP_X), top + row * (NODE_HEIGHT + GAP_Y)
            placed[node["id"]] = Node(node["id"], node["uses"], x, y)
    width = len(columns) * (NODE_WIDTH + GAP_X) - GAP_X + 2 * EDGE
    return Drawing(width, height, list(placed.values()), [(a, b, _curve(placed[a], placed[b])) for a, b in arrows])


def _layers(ids: Sequence[str], arrows: Sequence[tuple[str, str]]) -> dict[str, int]:
    """How many steps at least come before each. A cycle, which no saved pipeline has, ends the counting."""
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


def _order(columns: dict[int, list[Mapping[str, str]]], arrows: Sequence[tuple[str, str]]) -> None:
    """Each column by the mean place of what comes before: fewer crossings."""
    place: dict[str, float] = {}
    for depth in sorted(columns):
        before = {node["id"]: [place[a] for a, b in arrows if b == node["id"] and a in place] for node in columns[depth]}
        columns[depth].sort(key=lambda node: sum(before[node["id"]]) / len(before[node["id"]]) if before[node["id"]] else 0.0)
        for row, node in enumerate(columns[depth]):
            place[node["id"]] = row - len(columns[depth]) / 2


def _curve(start: Node, end: Node) -> str:
    x1, y1 = start.x + NODE_WIDTH, start.y + NODE_HEIGHT // 2
    x2, y2 = end.x, end.y + NODE_HEIGHT // 2
    bend = max((x2 - x1) // 2, GAP_X // 2)
    return f"M{x1} {y1}C{x1 + bend} {y1} {x2 - bend} {y2} {x2} {y2}"


@dataclass(frozen=True, slots=True)
class Plot:
    """Memory over time: curves as SVG paths in a box of `width` by `height`, and the words beside them."""

    width: int
    height: int
    line: str
    area: str
    limit_y: float | None
    ticks: list[tuple[float, int]]  # (y, bytes)
    last: tuple[float, float]


LEFT, TOP, BOTTOM = 52, 18, 22


def plot(points: Sequence[tuple[float, int]], limit: int | None, *, width: int = 290, height: int = 150) -> Plot | None:
    """`points`: (seconds, bytes), in order; None without at least two."""
    if len(points) < 2 or points[-1][0] <= points[0][0]:
        return None
    first, last = points[0][0], points[-1][0]
    top = max([value for _, value in points] + ([limit] if limit else [])) or 1
    floor = height - BOTTOM

    def across(seconds: float) -> float:
        return round(LEFT + (seconds - first) / (last - first) * (width - LEFT - 8), 1)

    def up(value: float) -> float:
        return round(floor - value / top * (floor - TOP), 1)

    line = "M" + "L".join(f"{across(seconds)} {up(value)}" for seconds, value in points)
    area = f"{line}L{across(last)} {floor}L{across(first)} {floor}Z"
    ticks = [(up(top * part / 2), round(top * part / 2)) for part in range(3)]
    return Plot(width, height, line, area, up(limit) if limit else None, ticks, (across(last), up(points[-1][1])))
