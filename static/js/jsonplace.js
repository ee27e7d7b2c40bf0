// Where in a JSON text each value stands: path (as the API writes it, steps[1].with.query) to line, from 1.

export class JsonFault extends Error {
  constructor(message, position, line) {
    super(message);
    this.position = position;
    this.line = line;
  }
}

// Reads `text`; returns {value, lines: Map(path -> line)}. Throws JsonFault where it is no JSON.
export function readJson(text) {
  const lines = new Map();
  const starts = [0];
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  const lineAt = (position) => {
    let low = 0,
      high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (starts[middle] <= position) low = middle;
      else high = middle - 1;
    }
    return low + 1;
  };
  const fail = (message, position) => {
    throw new JsonFault(message, position, lineAt(position));
  };
  let at = 0;

  const space = () => {
    while (at < text.length && " \t\r\n".includes(text[at])) at += 1;
  };

  function value(path, begin) {
    space();
    lines.set(path, lineAt(begin ?? at));
    if (at >= text.length) fail("the text ends where a value should be", at);
    if (text[at] === "{") return object(path);
    if (text[at] === "[") return list(path);
    if (text[at] === '"') return string();
    return literal();
  }

  function literal() {
    const found = /^(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)/.exec(
      text.slice(at, at + 400),
    );
    if (!found) fail(`a value should be here, not ${text[at]}`, at);
    at += found[0].length;
    return JSON.parse(found[0]);
  }

  function string() {
    const begin = at;
    at += 1;
    while (at < text.length && text[at] !== '"') {
      if (text[at] === "\n")
        fail("a text has to end with a quote on its line; write a line end as \\n", begin);
      at += text[at] === "\\" ? 2 : 1;
    }
    if (at >= text.length) fail("this text has no closing quote", begin);
    at += 1;
    try {
      return JSON.parse(text.slice(begin, at));
    } catch {
      return fail(
        "this text holds an escape or a control character that JSON does not know",
        begin,
      );
    }
  }

  function object(path) {
    const made = {};
    at += 1;
    space();
    if (text[at] === "}") {
      at += 1;
      return made;
    }
    for (;;) {
      space();
      const begin = at;
      if (text[at] !== '"')
        fail(
          text[at] === "}"
            ? "a comma stands before this bracket"
            : "a name in quotes should be here",
          at,
        );
      const key = string();
      space();
      if (text[at] !== ":") fail(`a colon should follow "${key}"`, at);
      at += 1;
      made[key] = value(path ? `${path}.${key}` : key, begin);
      space();
      if (text[at] === ",") {
        at += 1;
        continue;
      }
      if (text[at] === "}") {
        at += 1;
        return made;
      }
      fail("a comma or } should be here", Math.min(at, text.length));
    }
  }

  function list(path) {
    const made = [];
    at += 1;
    space();
    if (text[at] === "]") {
      at += 1;
      return made;
    }
    for (;;) {
      space();
      if (text[at] === "]") fail("a comma stands before this bracket", at);
      made.push(value(`${path}[${made.length}]`));
      space();
      if (text[at] === ",") {
        at += 1;
        continue;
      }
      if (text[at] === "]") {
        at += 1;
        return made;
      }
      fail("a comma or ] should be here", Math.min(at, text.length));
    }
  }

  const read = value("");
  space();
  if (at < text.length) fail("nothing should follow here", at);
  return { value: read, lines };
}

// The line of `path`, or of what holds it.
export function lineOf(lines, path) {
  let at = path;
  for (;;) {
    if (lines.has(at)) return lines.get(at);
    if (!at) return 1;
    at = at.replace(/(\.[^.[\]]*|\[\d+\]|^[^.[\]]*)$/, "");
  }
}
