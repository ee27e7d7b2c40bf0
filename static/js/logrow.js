// One row of a log as an element. Everything a log holds becomes text nodes; nothing is parsed as HTML.

import { pieces, segments, shownText, size } from "./logtext.js";
import { clock, exact } from "./time.js";

const LINK = /https?:\/\/[A-Za-z0-9._~:/?#[\]@!$&'()*+,;=%-]*[A-Za-z0-9/_~=#%-]/g;

/**
 * @param {LogRow} row
 * @param {RowOptions} options
 */
export function rowElement(row, options) {
  const line = document.createElement("div");
  line.className = `ln ${isOwnMessage(row) ? "sys" : row.stream}`;
  if (row.more) line.classList.add("more");
  if (isTarget(row, options.mark)) line.classList.add("target");
  line.dataset.line = String(row.number);
  line.dataset.offset = String(row.offset);
  line.append(numberOf(row), timeOf(row), streamOf(row), textOf(row, options));
  return line;
}

/**
 * Return true for a message of Mimir itself. It is on stderr, because stdout belongs to the user's
 * program, and it is not an error.
 * @param {LogRow} row
 */
const isOwnMessage = (row) => row.stream === "stderr" && row.text.startsWith("mimir: ");

/**
 * Return true if the row holds the byte `offset`.
 * @param {LogRow} row
 * @param {number | null | undefined} offset
 */
export const isTarget = (row, offset) =>
  offset !== null && offset !== undefined && row.offset <= offset && offset < row.end;

/** @param {LogRow} row */
function numberOf(row) {
  const link = document.createElement("a");
  link.href = `#L${row.number}`;
  link.textContent = String(row.number);
  link.setAttribute("aria-label", `Line ${row.number}: copy link`);
  link.tabIndex = -1;
  return link;
}

/** @param {LogRow} row */
function timeOf(row) {
  const time = document.createElement("time");
  const at = new Date(row.at.replace(/(\.\d{3})\d+/, "$1"));
  if (!row.at || Number.isNaN(at.getTime())) return time;
  time.textContent = clock(at);
  time.title = `${exact(at)}, ${row.at}`;
  return time;
}

/** @param {LogRow} row */
function streamOf(row) {
  const stream = document.createElement("em");
  if (row.stream === "stderr" && !isOwnMessage(row)) {
    stream.textContent = "err";
    stream.title = "standard error";
  }
  return stream;
}

/**
 * @param {LogRow} row
 * @param {RowOptions} options
 */
function textOf(row, options) {
  const holder = document.createElement("span");
  const { text, cut } = shownText(row);
  for (const segment of segments(text)) {
    const parent = segment.kinds.length ? document.createElement("span") : holder;
    if (segment.kinds.length) {
      parent.className = segment.kinds.join(" ");
      holder.append(parent);
    }
    for (const piece of pieces(segment.text)) {
      if (piece.hidden) parent.append(hiddenSign(piece.text));
      else appendHighlighted(parent, piece.text, options.query);
    }
  }
  if (cut) holder.append(wholeButton(row, options));
  return holder;
}

/** @param {string} text */
function hiddenSign(text) {
  const element = document.createElement("u");
  element.textContent = text;
  element.title = "Invisible character";
  return element;
}

/**
 * @param {LogRow} row
 * @param {RowOptions} options
 */
function wholeButton(row, options) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "btn mini all";
  button.textContent = `show all ${size(row.text.length)}`;
  button.addEventListener("click", () => options.onWhole(row));
  return button;
}

/**
 * @param {HTMLElement} parent
 * @param {string} text
 * @param {string} query
 */
function appendHighlighted(parent, text, query) {
  const low = text.toLowerCase();
  // If lower case changes the length, positions do not fit the text.
  if (!query || low.length !== text.length) {
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

/**
 * @param {HTMLElement} parent
 * @param {string} text
 */
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
