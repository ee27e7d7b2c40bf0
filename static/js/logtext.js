// The text of a log: stored lines from bytes, rows from lines, classes from escape codes, visible signs
// for hidden characters. No DOM.

export const LINE_MAX = 16 * 1024; // bytes of one stored line at most
const SHOWN_MAX = 4096; // characters of a row before it is cut
const NEWLINE = 10;
const utf8 = new TextDecoder("utf-8");

/**
 * Parse the whole stored lines in `bytes`, which begin at byte `offset` of the log with line
 * `number`. Format of a line: `<time> stdout|stderr F|P <text>\n`; P is a part of a longer line.
 * @param {Uint8Array} bytes
 * @param {number} offset
 * @param {number} number
 * @returns {StoredLine[]}
 */
export function parseLines(bytes, offset, number) {
  /** @type {StoredLine[]} */
  const lines = [];
  let at = 0;
  for (;;) {
    const end = bytes.indexOf(NEWLINE, at);
    if (end < 0) return lines;
    const raw = utf8.decode(bytes.subarray(at, end));
    lines.push(storedLine(raw, offset + at, offset + end + 1, number + lines.length));
    at = end + 1;
  }
}

/**
 * @param {string} raw
 * @param {number} offset
 * @param {number} end
 * @param {number} number
 * @returns {StoredLine}
 */
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

/**
 * Add stored lines to `rows`. Parts of one line are joined while they are short: a progress bar is
 * one row. A long part begins a new row: a line of 50 MB is many rows, never one huge one.
 * @param {LogRow[]} rows
 * @param {StoredLine[]} lines
 * @returns {LogRow | null} The last row that was extended.
 */
export function addRows(rows, lines) {
  /** @type {LogRow | null} */
  let extended = null;
  for (const line of lines) {
    const last = rows[rows.length - 1];
    const continues = last?.open && last.stream === line.stream && last.end === line.offset;
    if (continues && last.text.length < SHOWN_MAX) {
      last.text = lastState(last.text + line.text);
      last.end = line.end;
      last.count += 1;
      last.open = line.part;
      extended = last;
    } else {
      rows.push({
        offset: line.offset,
        end: line.end,
        number: line.number,
        count: 1,
        at: line.at,
        stream: line.stream,
        open: line.part,
        more: Boolean(continues),
        text: lastState(line.text),
        element: null,
        whole: false,
      });
    }
  }
  return extended;
}

/**
 * Return the last state of a line with carriage returns, as a terminal shows it.
 * @param {string} text
 */
export function lastState(text) {
  if (!text.includes("\r")) return text;
  const states = text.split("\r").filter((state) => state !== "");
  return states.length ? states[states.length - 1] : "";
}

const COLOURS = ["k", "r", "g", "y", "bl", "m", "c", ""];
// CSI sequences, OSC sequences with their text, and any other escape of two characters.
// biome-ignore lint/suspicious/noControlCharactersInRegex: escape codes are control characters
const ESCAPE = /\x1b\[([0-?]*)[ -/]*([@-~])|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[ -/]*[0-~]?/g;

/**
 * @typedef {object} Style
 * @property {string} colour
 * @property {boolean} b Bold.
 * @property {boolean} d Dim.
 * @property {boolean} i Italic.
 * @property {boolean} u Underlined.
 * @property {boolean} v Inverted.
 */

/** @returns {Style} */
const plainStyle = () => ({ colour: "", b: false, d: false, i: false, u: false, v: false });

/**
 * Split a line at its escape codes. Colours and weights become class names (`kinds`); other codes
 * are removed.
 * @param {string} line
 * @returns {{ text: string, kinds: string[] }[]}
 */
export function segments(line) {
  /** @type {{ text: string, kinds: string[] }[]} */
  const parts = [];
  const style = plainStyle();
  let at = 0;
  /** @param {string} text */
  const push = (text) => {
    if (text) parts.push({ text, kinds: kindsOf(style) });
  };
  for (const found of line.matchAll(ESCAPE)) {
    push(line.slice(at, found.index));
    at = found.index + found[0].length;
    if (found[2] === "m") applyCodes(style, found[1]);
  }
  push(line.slice(at));
  return parts;
}

/** @param {Style} style */
function kindsOf(style) {
  const flags = /** @type {const} */ (["b", "d", "i", "u", "v"]);
  const kinds = flags.filter((name) => style[name]).map((name) => `a-${name}`);
  if (style.colour) kinds.push(`a-${style.colour}`);
  return kinds;
}

/** @type {Record<number, Partial<Style>>} Codes of "select graphic rendition" (ECMA-48). */
const CODES = {
  0: plainStyle(),
  1: { b: true },
  2: { d: true },
  3: { i: true },
  4: { u: true },
  7: { v: true },
  22: { b: false, d: false },
  23: { i: false },
  24: { u: false },
  27: { v: false },
  39: { colour: "" },
};

/**
 * @param {Style} style
 * @param {string} parameters
 */
function applyCodes(style, parameters) {
  const codes = parameters.split(/[;:]/).map(Number);
  for (let index = 0; index < codes.length; index += 1) {
    const code = codes[index] || 0;
    if (CODES[code]) Object.assign(style, CODES[code]);
    else if (code >= 30 && code <= 37) style.colour = COLOURS[code - 30];
    else if (code >= 90 && code <= 97) style.colour = COLOURS[code - 90];
    else if (code === 38 || code === 48) index += extendedLength(codes[index + 1]);
  }
}

/**
 * Return the number of parameters of an extended colour, which is not shown.
 * @param {number | undefined} kind
 */
const extendedLength = (kind) => (kind === 5 ? 2 : kind === 2 ? 4 : 0);

// Invisible characters and characters that change the direction of text, as in
// mimir/frontend/formatting.py.
const HIDDEN =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it finds control characters
  /[\x00-\x08\x0a-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]/gu;

/**
 * Split a text at its hidden characters; each of them becomes a visible sign.
 * @param {string} text
 * @returns {{ text: string, hidden: boolean }[]}
 */
export function pieces(text) {
  const parts = [];
  let at = 0;
  for (const found of text.matchAll(HIDDEN)) {
    if (found.index > at) parts.push({ text: text.slice(at, found.index), hidden: false });
    parts.push({ text: signFor(found[0].codePointAt(0) ?? 0), hidden: true });
    at = found.index + found[0].length;
  }
  if (at < text.length) parts.push({ text: text.slice(at), hidden: false });
  return parts;
}

/** @param {number} code */
function signFor(code) {
  if (code < 0x20) return String.fromCharCode(0x2400 + code);
  if (code === 0x7f) return "\u2421";
  return `\u27e8U+${code.toString(16).toUpperCase().padStart(4, "0")}\u27e9`;
}

/**
 * Return the shown text of a row and the number of characters that are cut.
 * @param {LogRow} row
 */
export function shownText(row) {
  if (row.whole || row.text.length <= SHOWN_MAX) return { text: row.text, cut: 0 };
  return { text: row.text.slice(0, SHOWN_MAX), cut: row.text.length - SHOWN_MAX };
}

/**
 * Format a number of bytes with decimal units.
 * @param {number} bytes
 */
export function size(bytes) {
  const units = ["B", "KB", "MB", "GB", "TB"];
  let amount = bytes;
  let unit = 0;
  while (amount >= 999.5 && unit < units.length - 1) {
    amount /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || amount >= 100 ? Math.round(amount) : Number(amount.toPrecision(3));
  return `${digits} ${units[unit]}`;
}
