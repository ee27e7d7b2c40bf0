// A JSON parser that also returns the line of each value. Paths are written as in the API:
// steps[1].with.query. Lines count from 1.

/** Invalid JSON, with its place. */
export class JsonError extends Error {
  /**
   * @param {string} message
   * @param {number} position
   * @param {number} line
   */
  constructor(message, position, line) {
    super(message);
    this.position = position;
    this.line = line;
  }
}

/**
 * Parse JSON. Throws JsonError.
 * @param {string} text
 * @returns {{ value: unknown, lines: Map<string, number> }}
 */
export function readJson(text) {
  /** @type {Map<string, number>} */
  const lines = new Map();
  const starts = [0];
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  /** @param {number} position */
  const lineAt = (position) => {
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (starts[middle] <= position) low = middle;
      else high = middle - 1;
    }
    return low + 1;
  };
  /**
   * @param {string} message
   * @param {number} position
   */
  const error = (message, position) => new JsonError(message, position, lineAt(position));
  let at = 0;

  const space = () => {
    while (at < text.length && " \t\r\n".includes(text[at])) at += 1;
  };

  /**
   * @param {string} path
   * @param {number} [begin]
   * @returns {unknown}
   */
  function value(path, begin) {
    space();
    lines.set(path, lineAt(begin ?? at));
    if (at >= text.length) throw error("a value is missing at the end", at);
    if (text[at] === "{") return object(path);
    if (text[at] === "[") return list(path);
    if (text[at] === '"') return string();
    return literal();
  }

  /** @returns {unknown} */
  function literal() {
    const found = /^(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)/.exec(
      text.slice(at, at + 400),
    );
    if (!found) throw error(`expected a value, found ${text[at]}`, at);
    at += found[0].length;
    return JSON.parse(found[0]);
  }

  /** @returns {string} */
  function string() {
    const begin = at;
    at += 1;
    while (at < text.length && text[at] !== '"') {
      if (text[at] === "\n")
        throw error("a string must end on its line; write a line break as \\n", begin);
      at += text[at] === "\\" ? 2 : 1;
    }
    if (at >= text.length) throw error("the closing quote of a string is missing", begin);
    at += 1;
    try {
      return JSON.parse(text.slice(begin, at));
    } catch {
      throw error("a string has an invalid escape or a control character", begin);
    }
  }

  /** @param {string} path */
  function object(path) {
    /** @type {Record<string, unknown>} */
    const members = {};
    at += 1;
    space();
    if (text[at] === "}") {
      at += 1;
      return members;
    }
    for (;;) {
      space();
      const begin = at;
      if (text[at] === "}") throw error("a comma before }", at);
      if (text[at] !== '"') throw error("expected a name in quotes", at);
      const key = string();
      space();
      if (text[at] !== ":") throw error(`expected a colon after "${key}"`, at);
      at += 1;
      members[key] = value(path ? `${path}.${key}` : key, begin);
      space();
      if (text[at] === ",") {
        at += 1;
        continue;
      }
      if (text[at] !== "}") throw error("expected a comma or }", Math.min(at, text.length));
      at += 1;
      return members;
    }
  }

  /** @param {string} path */
  function list(path) {
    /** @type {unknown[]} */
    const items = [];
    at += 1;
    space();
    if (text[at] === "]") {
      at += 1;
      return items;
    }
    for (;;) {
      space();
      if (text[at] === "]") throw error("a comma before ]", at);
      items.push(value(`${path}[${items.length}]`));
      space();
      if (text[at] === ",") {
        at += 1;
        continue;
      }
      if (text[at] !== "]") throw error("expected a comma or ]", Math.min(at, text.length));
      at += 1;
      return items;
    }
  }

  const parsed = value("");
  space();
  if (at < text.length) throw error("text after the end of the value", at);
  return { value: parsed, lines };
}

/**
 * Return the line of a path, or of the nearest value that contains it.
 * @param {Map<string, number>} lines
 * @param {string} path
 */
export function lineOf(lines, path) {
  let at = path;
  for (;;) {
    const line = lines.get(at);
    if (line !== undefined) return line;
    if (!at) return 1;
    at = at.replace(/(\.[^.[\]]*|\[\d+\]|^[^.[\]]*)$/, "");
  }
}
