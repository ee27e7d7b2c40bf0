// The log panel: buttons, keys, search, status line, and links to lines around the rows of a log.

import { copy, say } from "./app.js";
import { find, targetOf } from "./dom.js";
import { LogView } from "./log.js";
import { LogFinder } from "./logfind.js";
import { size } from "./logtext.js";

const SHORT_LINES = 10;
const ENDED = ["succeeded", "failed", "cancelled"];

/**
 * @param {string} name
 * @param {string} fallback
 */
const stored = (name, fallback) => {
  try {
    return localStorage.getItem(`mimir-log-${name}`) ?? fallback;
  } catch {
    return fallback;
  }
};

/**
 * @param {string} name
 * @param {string} value
 */
const store = (name, value) => {
  try {
    localStorage.setItem(`mimir-log-${name}`, value);
  } catch {
    /* storage may be off */
  }
};

/** Return the line of the address, 0 for none. */
const linkedLine = () => Number(/^#L(\d{1,12})$/.exec(location.hash)?.[1] || 0);

/** @param {HTMLElement} button */
const isPressed = (button) => button.getAttribute("aria-pressed") === "true";

/** @param {HTMLElement} root */
function partsOf(root) {
  /** @param {string} name */
  const part = (name) => find(`[data-log-${name}]`, HTMLElement, root);
  return {
    lines: part("lines"),
    times: part("times"),
    wrap: part("wrap"),
    follow: part("follow"),
    new: part("new"),
    empty: part("empty"),
    lineCount: part("lines-count"),
    size: part("size"),
    state: part("state"),
    foot: find(".logfoot", HTMLElement, root),
  };
}

export class LogPanel {
  /** @param {HTMLElement} root */
  constructor(root) {
    this.root = root;
    this.job = root.dataset.job || "";
    this.view = new LogView(root, this.job);
    this.finder = new LogFinder(root, this.view);
    this.part = partsOf(root);
    this.liveAt = { attempt: this.latest, offset: 0 };
    this.closed = false; // no more lines will come
    this.waitingAttempt = 0; // a newer attempt that writes while another one is shown
    this.linked = ""; // hash of the address that the panel set itself
    this.bind();
    this.view.addEventListener("change", () => this.showStatus());
  }

  get ended() {
    return ENDED.includes(this.root.dataset.status || "");
  }

  get latest() {
    return Number(this.root.dataset.latest);
  }

  /**
   * Show an attempt: at the line of the address, else at the first error of a failed job, else at the
   * end of a live log, else at the top.
   * @param {number} attempt
   */
  async open(attempt) {
    this.view.reset(attempt);
    this.finder.stop();
    this.closed = false;
    const isLatest = attempt === this.latest;
    const failed = this.root.dataset.status === "failed";
    this.view.live = isLatest && !this.ended;
    const line = linkedLine();
    if (line) await this.goToLine(line, new URLSearchParams(location.search).get("at"));
    else if (this.view.live) {
      await this.view.openEnd();
      this.view.setFollow(true);
    } else if (!(failed && isLatest && (await this.finder.firstError()))) {
      await this.view.openAt(0, "top");
    }
    if (isLatest && this.liveAt.offset < this.view.end)
      this.liveAt = { attempt, offset: this.view.end };
    this.showStatus();
    if (this.root.dataset.status === "failed" && !this.finder.errors) this.finder.firstError(false);
  }

  /**
   * @param {number} number
   * @param {string | null} at Byte offset of the line, if the link has it.
   */
  async goToLine(number, at) {
    const known = at && /^\d{1,15}$/.test(at) ? Number(at) : null;
    const offset = known ?? (await this.view.store.offsetOf(number));
    this.view.setFollow(false);
    await this.view.openAt(offset, "center", offset);
  }

  bind() {
    const { part, view } = this;
    this.setTimes(stored("times", "1") === "1");
    this.setWrap(stored("wrap", "1") === "1");
    part.times.addEventListener("click", () => this.setTimes(!isPressed(part.times)));
    part.wrap.addEventListener("click", () => this.setWrap(!isPressed(part.wrap)));
    part.follow.addEventListener("click", () => this.toggleFollow());
    part.new.addEventListener("click", () => this.toEnd());
    part.lines.addEventListener("keydown", (event) => this.key(event));
    part.lines.addEventListener("click", (event) => this.clicked(event));
    document.addEventListener("selectionchange", () => {
      const selection = document.getSelection();
      if (!view.follow || !selection || selection.isCollapsed) return;
      if (part.lines.contains(selection.anchorNode)) view.setFollow(false);
    });
    window.addEventListener("live", () => this.showStatus());
    window.addEventListener("hashchange", () => {
      const line = linkedLine();
      if (line && this.linked !== location.hash) this.goToLine(line, null);
    });
  }

  /** @param {boolean} wanted */
  setTimes(wanted) {
    this.part.times.setAttribute("aria-pressed", String(wanted));
    this.part.lines.classList.toggle("notimes", !wanted);
    store("times", wanted ? "1" : "0");
  }

  /** @param {boolean} wanted */
  setWrap(wanted) {
    this.part.wrap.setAttribute("aria-pressed", String(wanted));
    this.part.lines.classList.toggle("nowrap", !wanted);
    store("wrap", wanted ? "1" : "0");
    if (this.view.follow) this.view.toBottom();
    else this.view.settle();
  }

  toggleFollow() {
    if (this.view.follow) this.view.setFollow(false);
    else this.toEnd();
  }

  async toEnd() {
    if (this.waitingAttempt) {
      await this.open(this.waitingAttempt);
      return;
    }
    if (this.view.live) this.view.setFollow(true);
    else await this.view.openEnd();
  }

  toStart() {
    this.view.setFollow(false);
    this.view.openAt(0, "top");
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    /** @type {Record<string, () => void>} */
    const actions = {
      f: () => this.toggleFollow(),
      e: () => this.finder.stepError(1),
      E: () => this.finder.stepError(-1),
      w: () => this.part.wrap.click(),
      t: () => this.part.times.click(),
      n: () => this.finder.step(1),
      N: () => this.finder.step(-1),
      g: () => this.toStart(),
      G: () => this.toEnd(),
      "/": () => this.finder.input.focus(),
      Home: () => this.toStart(),
      End: () => this.toEnd(),
    };
    if (!Object.hasOwn(actions, event.key)) return;
    event.preventDefault();
    actions[event.key]();
  }

  /**
   * Mark the clicked line, put it into the address and copy the link.
   * @param {MouseEvent} event
   */
  async clicked(event) {
    const link = targetOf(event)?.closest(".ln > a");
    const row = link?.parentElement;
    if (!row) return;
    event.preventDefault();
    const { line = "", offset = "" } = row.dataset;
    const address = new URL(location.href);
    address.searchParams.set("attempt", String(this.view.attempt));
    address.searchParams.set("at", offset);
    address.hash = `L${line}`;
    this.linked = address.hash;
    history.replaceState(history.state, "", address);
    this.view.setFollow(false);
    this.view.markAt(Number(offset));
    if (await copy(address.href)) say(`Link to line ${line} copied`);
  }

  // ---- live ----

  /**
   * Handle new log lines from the socket. Lines that are already known are ignored.
   * @param {LogMessage} message
   */
  received({ attempt, offset, end, text }) {
    const { attempt: known, offset: reached } = this.liveAt;
    if (attempt < known || (attempt === known && end <= reached)) return;
    this.liveAt = { attempt, offset: end };
    if (attempt === this.view.attempt) {
      this.view.grow(offset, end, text);
    } else if (attempt > known && (this.view.follow || !this.view.end)) {
      this.root.dataset.latest = String(attempt);
      this.open(attempt);
    } else if (attempt > this.view.attempt) {
      this.waitingAttempt = attempt;
      this.showStatus();
    }
  }

  /**
   * Handle a changed job: a new attempt may have begun, or the last one ended.
   * @param {JobSummary} job
   */
  jobChanged(job) {
    this.root.dataset.status = job.status;
    this.root.dataset.latest = String(job.attempt);
    if (this.ended && this.view.live && job.attempt === this.view.attempt) this.finishSoon();
    this.showStatus();
  }

  async finishSoon() {
    await this.view.store.readEnd().catch(() => {});
    if (this.view.follow) await this.view.showEnd();
    if (this.view.store.complete || this.closed) {
      this.view.live = false;
      this.view.setFollow(false);
    }
    this.showStatus();
  }

  /** Handle the end of the socket: no more lines will come. */
  finish() {
    this.closed = true;
    this.finishSoon();
  }

  // ---- the status line ----

  showStatus() {
    const { view, part } = this;
    part.follow.setAttribute("aria-pressed", String(view.follow));
    part.follow.hidden = !view.live;
    part.empty.hidden = view.end > 0;
    part.lines.hidden = !view.end;
    const lines = view.store.lineCount;
    part.lines.classList.toggle("short", !view.live && lines <= SHORT_LINES); // no empty box
    part.foot.hidden = !view.end;
    if (!view.end)
      part.empty.textContent =
        this.ended || !view.live ? "No output." : this.root.dataset.empty || "";
    part.lineCount.textContent = view.end && lines ? countOf(lines, "line") : "";
    part.size.textContent = view.end ? size(view.end) : "";
    part.state.textContent = this.stateLabel();
    const label = this.newLabel();
    part.new.hidden = !label;
    find("span", HTMLElement, part.new).textContent = label;
  }

  newLabel() {
    const { view } = this;
    if (this.waitingAttempt) return `Show attempt ${this.waitingAttempt}`;
    if (view.fresh && view.live && !view.follow) return countOf(view.fresh, "new line");
    return "";
  }

  stateLabel() {
    const { view } = this;
    if (view.store.complete) return "complete";
    if (view.live && document.documentElement.dataset.lost) return "waiting for the connection";
    if (view.live) return view.follow ? "live, following" : "live";
    if (!view.end) return "";
    const final = this.closed || this.ended || view.attempt < this.latest;
    return final ? "incomplete: last lines may be missing" : "";
  }
}

/**
 * @param {number} count
 * @param {string} noun
 */
const countOf = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
