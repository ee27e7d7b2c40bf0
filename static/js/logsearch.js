// Search a log on the server: matches arrive page by page, each with its byte offset and line.

import { getJson } from "./api.js";

const MATCHES_MAX = 5000; // beyond it the count says "over"

export class LogSearch {
  /**
   * @param {string} job
   * @param {number} attempt
   * @param {Record<string, string>} parameters `q`, a text, or `errors`.
   */
  constructor(job, attempt, parameters) {
    const query = new URLSearchParams({ ...parameters, attempt: String(attempt) });
    this.first = `/api/v1/jobs/${job}/logs/search/?${query}`;
    this.text = parameters.q || "";
    /** @type {LogSearchPage["results"]} */
    this.matches = [];
    this.at = -1;
    this.fraction = 0;
    this.done = false;
    this.stopped = new AbortController();
  }

  /**
   * Read pages until the end.
   * @param {() => void} onPage Called after each page.
   */
  async run(onPage) {
    /** @type {string | null} */
    let path = this.first;
    while (path && this.matches.length < MATCHES_MAX) {
      /** @type {LogSearchPage} */
      const page = await getJson(path, { signal: this.stopped.signal });
      this.matches.push(...page.results);
      this.fraction = page.searched_fraction;
      path = page.next;
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

  /**
   * Select the first match at or after `offset`, else the first one.
   * @param {number} offset
   */
  begin(offset) {
    const at = this.matches.findIndex((match) => match.offset >= offset);
    this.at = at >= 0 ? at : this.matches.length ? 0 : -1;
    return this.current;
  }

  /** @param {number} by */
  step(by) {
    if (!this.matches.length) return null;
    this.at = (this.at + by + this.matches.length) % this.matches.length;
    return this.current;
  }

  /** The position and the count for the search field. */
  get label() {
    const full = this.matches.length >= MATCHES_MAX;
    const count = (full ? MATCHES_MAX : this.matches.length).toLocaleString("en");
    const progress = this.done || full ? "" : `, ${Math.floor(this.fraction * 100)} % searched`;
    if (!this.matches.length) return this.done ? "no match" : `no match yet${progress}`;
    return `${(this.at + 1).toLocaleString("en")} of ${full ? "over " : ""}${count}${progress}`;
  }
}
