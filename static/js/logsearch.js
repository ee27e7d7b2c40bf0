// Searching a log on the server: matches arrive page by page; each has its offset and line.

import { getJson } from "./api.js";

const MATCHES_MAX = 5000; // beyond it the count says "over"

export class LogSearch {
  constructor(job, attempt, parameters) {
    this.first = `/api/v1/jobs/${job}/logs/search/?${new URLSearchParams({ ...parameters, attempt })}`;
    this.matches = [];
    this.at = -1;
    this.fraction = 0;
    this.done = false;
    this.stopped = new AbortController();
  }

  // Read pages until the end; `onPage()` after each.
  async run(onPage) {
    let path = this.first;
    while (path && this.matches.length < MATCHES_MAX) {
      const found = await getJson(path, { signal: this.stopped.signal });
      this.matches.push(...found.results);
      this.fraction = found.searched_fraction;
      path = found.next;
      this.done = !path;
      onPage();
    }
  }

  stop() {
    this.stopped.abort();
  }

  get current() {
    return this.matches[this.at] ?? null;
  }

  // The match to begin with: the first one at or after `offset`.
  begin(offset) {
    const at = this.matches.findIndex((match) => match.offset >= offset);
    this.at = at >= 0 ? at : this.matches.length ? 0 : -1;
    return this.current;
  }

  step(by) {
    if (!this.matches.length) return null;
    this.at = (this.at + by + this.matches.length) % this.matches.length;
    return this.current;
  }

  get words() {
    const many =
      this.matches.length >= MATCHES_MAX
        ? `over ${MATCHES_MAX.toLocaleString("en")}`
        : this.matches.length.toLocaleString("en");
    const part =
      this.done || this.matches.length >= MATCHES_MAX
        ? ""
        : `, ${Math.floor(this.fraction * 100)} % searched`;
    if (!this.matches.length) return this.done ? "no match" : `none yet${part}`;
    return `${(this.at + 1).toLocaleString("en")} of ${many}${part}`;
  }
}
