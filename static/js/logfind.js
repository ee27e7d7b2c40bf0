// The search field and the error button of the log panel.

import { statusOf } from "./api.js";
import { find } from "./dom.js";
import { LogSearch } from "./logsearch.js";

/** @import { LogView } from "./log.js" */

export class LogFinder {
  /**
   * @param {HTMLElement} root
   * @param {LogView} view
   */
  constructor(root, view) {
    this.view = view;
    this.lines = find("[data-log-lines]", HTMLElement, root);
    this.hits = find("[data-log-hits]", HTMLElement, root);
    this.count = find("[data-log-count]", HTMLElement, root);
    this.errorButton = find("[data-log-error]", HTMLElement, root);
    this.form = find("[data-log-find]", HTMLFormElement, root);
    this.input = find("input", HTMLInputElement, this.form);
    /** @type {LogSearch | null} */
    this.search = null;
    /** @type {LogSearch | null} Lines that look like errors. */
    this.errors = null;
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.find(1);
    });
    this.input.addEventListener("keydown", (event) => this.key(event));
    this.input.addEventListener("input", () => {
      if (!this.input.value) this.stop();
    });
    this.errorButton.addEventListener("click", (event) => this.stepError(event.shiftKey ? -1 : 1));
    find("[data-log-prev]", HTMLElement, root).addEventListener("click", () => this.step(-1));
    find("[data-log-next]", HTMLElement, root).addEventListener("click", () => this.step(1));
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.key === "Enter" && event.shiftKey) {
      event.preventDefault();
      this.find(-1);
    }
    if (event.key === "Escape") {
      this.input.value = "";
      this.stop();
      this.lines.focus();
    }
  }

  stop() {
    this.search?.stop();
    this.search = null;
    this.hits.hidden = true;
    if (!this.view.query) return;
    this.view.query = "";
    this.view.refresh();
  }

  /**
   * Search for the text of the field, or step to the next match of the same text.
   * @param {number} by
   */
  async find(by) {
    const text = this.input.value;
    if (!text) return;
    if (this.search?.text === text) {
      await this.step(by);
      return;
    }
    this.stop();
    const search = new LogSearch(this.view.job, this.view.attempt, { q: text });
    this.search = search;
    this.view.query = text.toLowerCase();
    this.view.setFollow(false);
    this.hits.hidden = false;
    try {
      await this.runSearch(search, this.view.rows[this.view.first]?.offset ?? 0);
    } catch (error) {
      if (error instanceof DOMException && error.name === "AbortError") return;
      this.count.textContent = searchError(error);
      return;
    }
    this.count.textContent = search.label;
  }

  /**
   * Show the first match at or after `from` as soon as it is found, else the first match.
   * @param {LogSearch} search
   * @param {number} from
   */
  async runSearch(search, from) {
    let shown = false;
    await search.run(() => {
      const found = search.done || search.matches.some((match) => match.offset >= from);
      if (!shown && search.matches.length && found) {
        shown = true;
        search.begin(from);
        this.showMatch();
      }
      this.count.textContent = search.label;
    });
    if (!shown && search.begin(0)) this.showMatch();
    if (!search.matches.length) this.view.refresh();
  }

  /** @param {number} by */
  async step(by) {
    if (!this.search?.step(by)) return;
    this.count.textContent = this.search.label;
    await this.showMatch();
  }

  async showMatch() {
    const match = this.search?.current;
    if (!match) return;
    this.view.setFollow(false);
    await this.view.openAt(match.offset, "center", match.offset);
    this.view.refresh();
  }

  /**
   * Find the lines that look like errors and show the first one. Resolves to false if there is none.
   * @param {boolean} [show]
   */
  async firstError(show = true) {
    const errors = new LogSearch(this.view.job, this.view.attempt, { errors: "1" });
    this.errors = errors;
    try {
      await errors.run(() => {
        this.errorButton.hidden = !errors.matches.length;
      });
    } catch {
      return false;
    }
    if (!errors.matches.length || !show) return errors.matches.length > 0;
    await this.stepError(1);
    return true;
  }

  /** @param {number} by */
  async stepError(by) {
    if (!this.errors) {
      await this.firstError(true);
      return;
    }
    const match = this.errors.step(by);
    if (!match) return;
    this.view.setFollow(false);
    await this.view.openAt(match.offset, "center", match.offset);
  }
}

/** @param {unknown} error */
function searchError(error) {
  if (!(error instanceof Error)) return String(error);
  const detail = statusOf(error) && "detail" in error ? error.detail : null;
  const field = detail && typeof detail === "object" && "q" in detail ? detail.q : null;
  return typeof field === "string" ? field : error.message;
}
