// The editor of a definition: line numbers, Tab, and a check that shows each fault at its line before anything is saved.

import { csrf } from "./api.js";
import { JsonFault, lineOf, readJson } from "./jsonplace.js";
import { signInAgain } from "./signedin.js";

const form = document.querySelector("[data-editor]");
const text = form.querySelector("textarea");
const gutter = form.querySelector("[data-gutter]");
const list = form.querySelector("[data-faults]");
const okay = form.querySelector("[data-okay]");
const summary = form.querySelector("[data-summary]"); // what was checked and what was not
const sprite = document.querySelector("svg.i use").getAttribute("href").split("#")[0];
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

function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "i");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `${sprite}#${name}`);
  svg.append(use);
  return svg;
}

function goTo(line) {
  const lines = text.value.split("\n");
  const start = lines.slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
  text.focus();
  text.setSelectionRange(start, start + (lines[line - 1] || "").length);
  text.scrollTop = Math.max(0, (line - 5) * 19);
}

// `faults`: [{path, message, line, detail?}].
function showFaults(faults) {
  marked = new Set(faults.map((fault) => fault.line));
  list.replaceChildren(
    ...faults.map((fault) => {
      const item = document.createElement("li");
      item.className = "errm";
      item.dataset.path = fault.path;
      item.dataset.line = fault.line;
      const words = document.createElement("span");
      const link = document.createElement("a");
      link.href = "#f-definition";
      link.textContent = `Line ${fault.line}`;
      link.addEventListener("click", (event) => {
        event.preventDefault();
        goTo(fault.line);
      });
      words.append(link, ": ");
      if (fault.path) {
        const code = document.createElement("code");
        code.textContent = fault.path;
        words.append(code, " ");
      }
      words.append(fault.message);
      if (fault.detail) {
        const details = document.createElement("details");
        const head = document.createElement("summary");
        head.textContent = "Message of the SQL engine";
        details.append(head, fault.detail);
        words.append(details);
      }
      item.append(icon("failed"), words);
      return item;
    }),
  );
  list.hidden = !faults.length;
  okay.hidden = true;
  summary.hidden = true;
  text.closest(".f").classList.toggle("bad", faults.length > 0);
  if (faults.length) text.setAttribute("aria-invalid", "true");
  else text.removeAttribute("aria-invalid");
  drawGutter();
}

function read() {
  try {
    return readJson(text.value);
  } catch (error) {
    if (!(error instanceof JsonFault)) throw error;
    showFaults([{ path: "", message: `this is no JSON: ${error.message}.`, line: error.line }]);
    return null;
  }
}

// The same form, only checked: the page comes back with the faults by path and the graph, and the text stays as it is here.
async function check(button) {
  const found = read();
  if (!found) return;
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
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const items = page.querySelector("[data-faults]");
    if (!items) throw new Error("no answer");
    placeServed([...items.querySelectorAll("li")], found.lines);
    okay.hidden = page.querySelector("[data-okay]").hidden;
    summary.textContent = page.querySelector("[data-summary]").textContent;
    summary.hidden = !summary.textContent.trim();
    const drawn = page.querySelector("#graph:not([hidden]) svg.dag");
    if (drawn) {
      // while there are faults the last graph that was right stays
      document.querySelector("[data-graph]").replaceChildren(document.importNode(drawn, true));
      document.getElementById("graph").hidden = false;
    }
  } catch {
    showFaults([{ path: "", message: "the check got no answer; try again in a moment.", line: 1 }]);
  } finally {
    button.disabled = false;
  }
}

// What the server said, at the lines of the text.
function placeServed(items, lines) {
  showFaults(
    items.map(({ dataset }) => ({
      path: dataset.path,
      message: dataset.message,
      detail: dataset.detail,
      line: lineOf(lines, dataset.path),
    })),
  );
}

function insert(from, to, words, selectFrom, selectTo) {
  text.setRangeText(words, from, to, "preserve");
  text.setSelectionRange(selectFrom, selectTo);
  text.dispatchEvent(new Event("input"));
}

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

text.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    leaving = true;
    return;
  }
  if (
    event.key === "Tab" &&
    !leaving &&
    !text.readOnly &&
    !event.ctrlKey &&
    !event.altKey &&
    !event.metaKey
  ) {
    event.preventDefault();
    indent(event.shiftKey);
  } else if (event.key === "Enter" && !event.ctrlKey && !event.metaKey && !text.readOnly) {
    const begin = text.value.lastIndexOf("\n", text.selectionStart - 1) + 1;
    const before = text.value.slice(begin, text.selectionStart);
    const depth = /^ */.exec(before)[0] + (/[[{]\s*$/.test(before) ? "  " : "");
    if (depth) {
      event.preventDefault();
      const at = text.selectionStart + 1 + depth.length;
      insert(text.selectionStart, text.selectionEnd, `\n${depth}`, at, at);
    }
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

const button = form.querySelector("[data-check-now]");
button.addEventListener("click", (event) => {
  event.preventDefault();
  check(button);
});

const written = text.value;
let saving = false;
form.addEventListener("submit", () => {
  saving = true;
});
window.addEventListener("beforeunload", (event) => {
  if (!saving && text.value !== written) event.preventDefault();
});

drawGutter();
const served = [...list.querySelectorAll("li")];
if (served.length) {
  const found = read();
  if (found) placeServed(served, found.lines);
}
