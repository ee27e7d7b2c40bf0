// The editor of a definition: line numbers, Tab, and a check that shows each error at its line
// before anything is saved.

import { csrf } from "./api.js";
import { find, icon, parsePage } from "./dom.js";
import { JsonError, lineOf, readJson } from "./jsonplace.js";
import { signInAgain } from "./signedin.js";

const LINE_PIXELS = 19;

const form = find("[data-editor]", HTMLFormElement);
const text = find("textarea", HTMLTextAreaElement, form);
const gutter = find("[data-gutter]", HTMLElement, form);
const list = find("[data-faults]", HTMLElement, form);
const okay = find("[data-okay]", HTMLElement, form);
const summary = find("[data-summary]", HTMLElement, form); // the checks made and not made
/** @type {Set<number>} */
let marked = new Set();
let leaving = false; // Escape was pressed: the next Tab leaves the field

function drawGutter() {
  const count = text.value.split("\n").length;
  const lines = [];
  for (let line = 1; line <= count; line += 1) {
    const element = document.createElement("span");
    element.textContent = `${marked.has(line) ? "▸ " : ""}${line}\n`;
    if (marked.has(line)) element.className = "bad";
    lines.push(element);
  }
  gutter.replaceChildren(...lines);
  gutter.scrollTop = text.scrollTop;
}

/** @param {number} line */
function goTo(line) {
  const lines = text.value.split("\n");
  const start = lines.slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
  text.focus();
  text.setSelectionRange(start, start + (lines[line - 1] || "").length);
  text.scrollTop = Math.max(0, (line - 5) * LINE_PIXELS);
}

/** @param {DefinitionError} error */
function errorItem(error) {
  const item = document.createElement("li");
  item.className = "errm";
  item.dataset.path = error.path;
  item.dataset.line = String(error.line);
  const content = document.createElement("span");
  const link = document.createElement("a");
  link.href = "#f-definition";
  link.textContent = `Line ${error.line}`;
  link.addEventListener("click", (event) => {
    event.preventDefault();
    goTo(error.line);
  });
  content.append(link, ": ");
  if (error.path) {
    const code = document.createElement("code");
    code.textContent = error.path;
    content.append(code, " ");
  }
  content.append(error.message);
  if (error.detail) {
    const details = document.createElement("details");
    const head = document.createElement("summary");
    head.textContent = "Message of the SQL engine";
    details.append(head, error.detail);
    content.append(details);
  }
  item.append(icon("failed"), content);
  return item;
}

/** @param {DefinitionError[]} errors */
function showErrors(errors) {
  marked = new Set(errors.map((error) => error.line));
  list.replaceChildren(...errors.map(errorItem));
  list.hidden = !errors.length;
  okay.hidden = true;
  summary.hidden = true;
  text.closest(".f")?.classList.toggle("bad", errors.length > 0);
  if (errors.length) text.setAttribute("aria-invalid", "true");
  else text.removeAttribute("aria-invalid");
  drawGutter();
}

/** Parse the text; show the error and return null if it is not JSON. */
function read() {
  try {
    return readJson(text.value);
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
    showErrors([{ path: "", message: `invalid JSON: ${error.message}.`, line: error.line }]);
    return null;
  }
}

/**
 * Post the form as a check. The answer is the same page with the errors by path and the graph; the
 * text stays as it is here.
 * @param {HTMLButtonElement} button
 */
async function check(button) {
  const parsed = read();
  if (!parsed) return;
  const data = new FormData(form);
  data.set("then", "check");
  button.disabled = true;
  try {
    const response = await fetch(location.href, {
      method: "POST",
      body: data,
      credentials: "same-origin",
      headers: { "X-CSRFToken": csrf(), Accept: "text/html" },
    });
    if (response.status === 401) {
      button.disabled = false;
      if (await signInAgain()) await check(button);
      return;
    }
    showChecked(await parsePage(response), parsed.lines);
  } catch {
    showErrors([
      { path: "", message: "The server does not answer. Try again in a moment.", line: 1 },
    ]);
  } finally {
    button.disabled = false;
  }
}

/**
 * @param {Document} page
 * @param {Map<string, number>} lines
 */
function showChecked(page, lines) {
  showServerErrors(find("[data-faults]", HTMLElement, page), lines);
  okay.hidden = find("[data-okay]", HTMLElement, page).hidden;
  summary.textContent = find("[data-summary]", HTMLElement, page).textContent;
  summary.hidden = !summary.textContent?.trim();
  const drawing = page.querySelector("#graph:not([hidden]) svg.dag");
  if (!drawing) return; // with errors, the last valid graph stays
  find("[data-graph]", HTMLElement).replaceChildren(document.importNode(drawing, true));
  find("#graph", HTMLElement).hidden = false;
}

/**
 * Show the errors that the server listed, at the lines of the text.
 * @param {HTMLElement} served
 * @param {Map<string, number>} lines
 */
function showServerErrors(served, lines) {
  const items = [...served.querySelectorAll("li")];
  showErrors(
    items.map(({ dataset: { path = "", message = "", detail } }) => ({
      path,
      message,
      detail,
      line: lineOf(lines, path),
    })),
  );
}

/**
 * Replace the range and select. Keeps the undo history.
 * @param {number} from
 * @param {number} to
 * @param {string} replacement
 * @param {number} selectFrom
 * @param {number} selectTo
 */
function insert(from, to, replacement, selectFrom, selectTo) {
  text.setRangeText(replacement, from, to, "preserve");
  text.setSelectionRange(selectFrom, selectTo);
  text.dispatchEvent(new Event("input"));
}

/** @param {boolean} back */
function indent(back) {
  const { selectionStart: start, selectionEnd: end, value } = text;
  if (start === end && !back) {
    insert(start, end, "  ", start + 2, start + 2);
    return;
  }
  const from = value.lastIndexOf("\n", start - 1) + 1;
  const lines = value.slice(from, end).split("\n");
  const changed = lines.map((line) => (back ? line.replace(/^ {1,2}/, "") : `  ${line}`));
  const first = changed[0].length - lines[0].length;
  insert(
    from,
    end,
    changed.join("\n"),
    Math.max(from, start + first),
    from + changed.join("\n").length,
  );
}

/**
 * Start the new line with the indentation of the current one, deeper after a bracket.
 * @param {KeyboardEvent} event
 */
function breakLine(event) {
  const begin = text.value.lastIndexOf("\n", text.selectionStart - 1) + 1;
  const before = text.value.slice(begin, text.selectionStart);
  const spaces = before.length - before.replace(/^ +/, "").length;
  const depth = " ".repeat(spaces + (/[[{]\s*$/.test(before) ? 2 : 0));
  if (!depth) return;
  event.preventDefault();
  const at = text.selectionStart + 1 + depth.length;
  insert(text.selectionStart, text.selectionEnd, `\n${depth}`, at, at);
}

text.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    leaving = true;
    return;
  }
  const modified = event.ctrlKey || event.metaKey;
  if (event.key === "Tab" && !leaving && !text.readOnly && !modified && !event.altKey) {
    event.preventDefault();
    indent(event.shiftKey);
  } else if (event.key === "Enter" && !modified && !text.readOnly) {
    breakLine(event);
  }
  if (event.key !== "Shift") leaving = false;
});
text.addEventListener("input", () => {
  okay.hidden = true;
  summary.hidden = true;
  drawGutter();
});
text.addEventListener("scroll", () => {
  gutter.scrollTop = text.scrollTop;
});

const button = find("[data-check-now]", HTMLButtonElement, form);
button.addEventListener("click", (event) => {
  event.preventDefault();
  check(button);
});

const saved = text.value;
let saving = false;
form.addEventListener("submit", () => {
  saving = true;
});
window.addEventListener("beforeunload", (event) => {
  if (!saving && text.value !== saved) event.preventDefault();
});

drawGutter();
if (list.querySelector("li")) {
  const parsed = read();
  if (parsed) showServerErrors(list, parsed.lines);
}
