// The graph of a checked definition, laid out as mimir/frontend/pages/graphs.py does.

const WIDTH = 168, HEIGHT = 48, GAP_X = 36, GAP_Y = 16;
const NODES_MAX = 60;
const SVG = "http://www.w3.org/2000/svg";

function layers(ids, edges) {
  const layer = new Map(ids.map((id) => [id, 0]));
  for (let round = 0; round < ids.length; round += 1) {
    let changed = false;
    for (const [before, after] of edges) {
      if (layer.get(after) <= layer.get(before)) { layer.set(after, layer.get(before) + 1); changed = true; }
    }
    if (!changed) break;
  }
  return layer;
}

function element(name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

const short = (text, length) => (text.length > length ? `${text.slice(0, length - 1)}…` : text);

function columnsOf(nodes, edges, layer) {
  const columns = [];
  for (const node of nodes) (columns[layer.get(node.id)] ||= []).push(node);
  const place = new Map();
  for (const column of columns.filter(Boolean)) {
    const mean = (node) => {
      const before = edges.filter(([, after]) => after === node.id).map(([start]) => place.get(start)).filter((row) => row !== undefined);
      return before.length ? before.reduce((sum, row) => sum + row, 0) / before.length : 0;
    };
    const means = new Map(column.map((node) => [node.id, mean(node)]));
    column.sort((a, b) => means.get(a.id) - means.get(b.id));
    column.forEach((node, row) => place.set(node.id, row - column.length / 2));
  }
  return columns.filter(Boolean);
}

// An svg element of {nodes: [{id, uses}], edges: [[from, to]]}, or null when there is nothing or too much to draw.
export function graph({ nodes, edges }) {
  if (!nodes.length || nodes.length > NODES_MAX) return null;
  const columns = columnsOf(nodes, edges, layers(nodes.map((node) => node.id), edges));
  const tallest = Math.max(...columns.map((column) => column.length));
  const height = tallest * (HEIGHT + GAP_Y) - GAP_Y + 2;
  const width = columns.length * (WIDTH + GAP_X) - GAP_X + 2;
  const svg = element("svg", { class: "dag plain", width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `Graph of ${nodes.length} steps` });
  const at = new Map();
  columns.forEach((column, depth) => {
    const top = Math.floor((height - (column.length * (HEIGHT + GAP_Y) - GAP_Y)) / 2);
    column.forEach((node, row) => at.set(node.id, { x: 1 + depth * (WIDTH + GAP_X), y: top + row * (HEIGHT + GAP_Y) }));
  });
  for (const [start, end] of edges) {
    const a = at.get(start), b = at.get(end);
    const [x1, y1, x2, y2] = [a.x + WIDTH, a.y + HEIGHT / 2, b.x, b.y + HEIGHT / 2];
    const bend = Math.max((x2 - x1) / 2, GAP_X / 2);
    svg.append(element("path", { class: "edge", d: `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}` }));
  }
  for (const node of nodes) {
    const { x, y } = at.get(node.id);
    const group = element("g", { class: "node", transform: `translate(${x} ${y})` });
    group.append(element("title", {}, `${node.id}: ${node.uses}`), element("rect", { class: "bx", width: WIDTH, height: HEIGHT, rx: 7 }), element("text", { class: "ttl", x: 12, y: 20 }, short(node.id, 21)), element("text", { class: "subt", x: 12, y: 37 }, node.uses));
    svg.append(group);
  }
  return svg;
}
