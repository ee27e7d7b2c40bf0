// The text of a log: stored lines from bytes, one row a line, escape codes to classes, hidden characters made visible. No DOM.

export const LINE_MAX = 16 * 1024; // bytes of one stored line at most
const SHOWN_MAX = 4096; // characters of a row before it is cut
const utf8 = new TextDecoder("utf-8");

// Whole stored lines in `bytes`, which begins at `offset` of the log with line `number`:
// `<time> stdout|stderr F|P <text>\n`; P is a part of a line that goes on.
export function parseLines(bytes, offset, number) {
  const lines = [];
  let at = 0;
  for (;;) {
    const end = bytes.indexOf(10, at);
    if (end < 0) return lines;
    lines.push(
      storedLine(
        utf8.decode(bytes.subarray(at, end)),
        offset + at,
        offset + end + 1,
        number + lines.length,
      ),
    );
    at = end + 1;
  }
}

function storedLine(raw, offset, end, number) {
  const found = /^(\S+) (stdout|stderr) ([FP]) ?/.exec(raw);
  if (!found) return { offset, end, number, at: "", stream: "stdout", part: false, text: raw };
  return {
    offset,
    end,
    number,
    at: found[1],
    stream: found[2],
    part: found[3] === "P",
    text: raw.slice(found[0].length),
  };
}

// Rows from stored lines. Parts of one line are joined while they are short, so that a progress bar is one row; a part that is
// long begins a row of its own, so that a line of 50 MB is many rows and never one huge one. `rows` is added to.
export function addRows(rows, lines) {
  let changed = null;
  for (const line of lines) {
    const last = rows[rows.length - 1];
    if (
      last?.open &&
      last.stream === line.stream &&
      last.text.length < SHOWN_MAX &&
      last.end === line.offset
    ) {
      last.text = lastState(last.text + line.text);
      last.end = line.end;
      last.count += 1;
      last.open = line.part;
      changed = last;
    } else {
      rows.push({
        offset: line.offset,
        end: line.end,
        number: line.number,
        count: 1,
        at: line.at,
        stream: line.stream,
        open: line.part,
        more: Boolean(last?.open && last.stream === line.stream && last.end === line.offset),
        text: lastState(line.text),
        element: null,
        whole: false,
      });
    }
  }
  return changed;
}

// What a terminal shows of a line with carriage returns: its last state.
export function lastState(text) {
  if (!text.includes("\r")) return text;
  const states = text.split("\r").filter((state) => state !== "");
  return states.length ? states[states.length - 1] : "";
}

const COLOURS = ["k", "r", "g", "y", "bl", "m", "c", ""];
// CSI sequences, OSC sequences with their text, and any other escape of two characters.
// biome-ignore lint/suspicious/noControlCharactersInRegex: escape codes are control characters
const ESCAPE = /\x1b\[([0-?]*)[ -/]*([@-~])|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[ -/]*[0-~]?/g;

// [{text, kinds}] of a line; `kinds` are class names. Only colours and weights are kept of escape codes, everything else goes.
export function segments(line) {
  const made = [];
  const state = { colour: "", b: false, d: false, i: false, u: false, v: false };
  let at = 0;
  const push = (text) => {
    if (text) made.push({ text, kinds: kindsOf(state) });
  };
  for (const found of line.matchAll(ESCAPE)) {
    push(line.slice(at, found.index));
    at = found.index + found[0].length;
    if (found[2] === "m") rendition(state, found[1]);
  }
  push(line.slice(at));
  return made;
}

function kindsOf(state) {
  const kinds = ["b", "d", "i", "u", "v"].filter((name) => state[name]).map((name) => `a-${name}`);
  if (state.colour) kinds.push(`a-${state.colour}`);
  return kinds;
}

function rendition(state, parameters) {
  const codes = parameters.split(/[;:]/).map(Number);
  for (let index = 0; index < codes.length; index += 1) {
    const code = codes[index] || 0;
    if (code === 0)
      Object.assign(state, { colour: "", b: false, d: false, i: false, u: false, v: false });
    else if (code === 1) state.b = true;
    else if (code === 2) state.d = true;
    else if (code === 3) state.i = true;
    else if (code === 4) state.u = true;
    else if (code === 7) state.v = true;
    else if (code === 22) {
      state.b = false;
      state.d = false;
    } else if (code === 23) state.i = false;
    else if (code === 24) state.u = false;
    else if (code === 27) state.v = false;
    else if (code === 39) state.colour = "";
    else if (code >= 30 && code <= 37) state.colour = COLOURS[code - 30];
    else if (code >= 90 && code <= 97) state.colour = COLOURS[code - 90];
    else if (code === 38 || code === 48)
      index += codes[index + 1] === 5 ? 2 : codes[index + 1] === 2 ? 4 : 0;
  }
}

// Characters that would not be seen, or would turn the text around, as in mimir/frontend/formatting.py.
const HIDDEN =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it finds control characters
  /[\x00-\x08\x0a-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]/gu;

// [{text, hidden}]: `hidden` pieces stand for one such character each.
export function pieces(text) {
  const made = [];
  let at = 0;
  for (const found of text.matchAll(HIDDEN)) {
    if (found.index > at) made.push({ text: text.slice(at, found.index), hidden: false });
    made.push({ text: shownAs(found[0].codePointAt(0)), hidden: true });
    at = found.index + found[0].length;
  }
  if (at < text.length) made.push({ text: text.slice(at), hidden: false });
  return made;
}

function shownAs(code) {
  if (code < 0x20) return String.fromCharCode(0x2400 + code);
  if (code === 0x7f) return "\u2421";
  return `\u27e8U+${code.toString(16).toUpperCase().padStart(4, "0")}\u27e9`;
}

// The text of a row as shown: cut unless it is to be whole; around `from` when a match is further on.
export function shownText(row) {
  if (row.whole || row.text.length <= SHOWN_MAX) return { text: row.text, cut: 0 };
  return { text: row.text.slice(0, SHOWN_MAX), cut: row.text.length - SHOWN_MAX };
}

export const plain = (text) =>
  segments(text)
    .map((segment) => segment.text)
    .join("");

export function size(bytes) {
  const units = ["B", "KB", "MB", "GB", "TB"];
  let amount = bytes;
  for (const unit of units) {
    if (amount < 999.5 || unit === "TB")
      return `${unit === "B" || amount >= 100 ? Math.round(amount) : Number(amount.toPrecision(3))} ${unit}`;
    amount /= 1000;
  }
  return "";
}
