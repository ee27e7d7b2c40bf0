// One row of a log as an element. Everything that a log holds becomes text nodes; nothing of it is ever parsed as HTML.

import { pieces, segments, shownText, size } from "./logtext.js";
import { clock, exact } from "./time.js";

const LINK = /https?:\/\/[A-Za-z0-9._~:/?#[\]@!$&'()*+,;=%-]*[A-Za-z0-9/_~=#%-]/g;

// `look`: {query, mark, onWhole}. `query` is marked wherever it occurs, `mark` is the offset of the line that was asked for.
export function rowElement(row, look) {
  const line = document.createElement("div");
  line.className = `ln ${isOurs(row) ? "sys" : row.stream}`;
  if (row.more) line.classList.add("more");
  if (isTarget(row, look.mark)) line.classList.add("target");
  line.dataset.line = row.number;
  line.dataset.offset = row.offset;
  line.append(numberOf(row), timeOf(row), streamOf(row), textOf(row, look));
  return line;
}

// What Mimir itself says stands in the log on stderr, so that stdout is what the work wrote: it is no error.
const isOurs = (row) => row.stream === "stderr" && row.text.startsWith("mimir: ");

export const isTarget = (row, offset) =>
  offset !== null && offset !== undefined && row.offset <= offset && offset < row.end;

function numberOf(row) {
  const link = document.createElement("a");
  link.href = `#L${row.number}`;
  link.textContent = String(row.number);
  link.setAttribute("aria-label", `Line ${row.number}: copy its link`);
  link.tabIndex = -1;
  return link;
}

function timeOf(row) {
  const time = document.createElement("time");
  const at = new Date(row.at.replace(/(\.\d{3})\d+/, "$1"));
  if (!row.at || Number.isNaN(at.getTime())) return time;
  time.textContent = clock(at);
  time.title = `${exact(at)}, ${row.at}`;
  return time;
}

function streamOf(row) {
  const stream = document.createElement("em");
  if (row.stream === "stderr" && !isOurs(row)) {
    stream.textContent = "err";
    stream.title = "standard error";
  }
  return stream;
}

function textOf(row, look) {
  const holder = document.createElement("span");
  const { text, cut } = shownText(row);
  for (const segment of segments(text)) {
    const parent = segment.kinds.length ? document.createElement("span") : holder;
    if (segment.kinds.length) {
      parent.className = segment.kinds.join(" ");
      holder.append(parent);
    }
    for (const piece of pieces(segment.text)) {
      if (piece.hidden) parent.append(hidden(piece.text));
      else appendMarked(parent, piece.text, look.query);
    }
  }
  if (cut) holder.append(wholeButton(row, look));
  return holder;
}

function hidden(text) {
  const element = document.createElement("u");
  element.textContent = text;
  element.title = "A character that would not be seen";
  return element;
}

function wholeButton(row, look) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "btn mini all";
  button.textContent = `show all ${size(row.text.length)}`;
  button.addEventListener("click", () => look.onWhole(row));
  return button;
}

function appendMarked(parent, text, query) {
  if (!query) {
    appendLinked(parent, text);
    return;
  }
  const low = text.toLowerCase();
  if (low.length !== text.length) {
    // lower case changed lengths: positions would be wrong
    appendLinked(parent, text);
    return;
  }
  let at = 0;
  for (let found = low.indexOf(query, at); found >= 0; found = low.indexOf(query, at)) {
    appendLinked(parent, text.slice(at, found));
    const mark = document.createElement("mark");
    mark.textContent = text.slice(found, found + query.length);
    parent.append(mark);
    at = found + query.length;
  }
  appendLinked(parent, text.slice(at));
}

function appendLinked(parent, text) {
  let at = 0;
  for (const found of text.matchAll(LINK)) {
    parent.append(text.slice(at, found.index));
    const link = document.createElement("a");
    link.href = found[0];
    link.textContent = found[0];
    link.rel = "noopener noreferrer";
    link.target = "_blank";
    parent.append(link);
    at = found.index + found[0].length;
  }
  if (at < text.length) parent.append(text.slice(at));
}
