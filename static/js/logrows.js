// The rows of a log that are drawn: at most ROWS_MAX rows of the log's window between two spacers, whose
// heights stand for the bytes that are not drawn.

import { find } from "./dom.js";
import { rowElement } from "./logrow.js";
import { LogWindow } from "./logwindow.js";

export const ROWS_MAX = 400; // rows in the page
const STEP = 80; // rows drawn at once
const SPACER_PIXELS_MAX = 8_000_000; // browsers stop at about twice that
const ROW_PIXELS = 20;

/** Base class of LogView. */
export class LogRows extends EventTarget {
  /**
   * @param {HTMLElement} root
   * @param {string} job
   */
  constructor(root, job) {
    super();
    this.job = job;
    this.box = find("[data-log-lines]", HTMLElement, root);
    this.top = find("[data-log-top]", HTMLElement, root);
    this.list = find("[data-log-rows]", HTMLElement, root);
    this.bottom = find("[data-log-bottom]", HTMLElement, root);
    this.query = ""; // lower-case text to highlight
    /** @type {number | null} */
    this.mark = null;
    this.window = new LogWindow(job, 0);
    this.first = 0; // drawn rows of the window
    this.last = 0;
    this.topPixels = 0;
    /** @type {number | undefined} Scroll position that the script set. */
    this.ownTop = undefined;
    this.draw(0, 0);
  }

  get store() {
    return this.window.store;
  }
  get rows() {
    return this.window.rows;
  }
  get end() {
    return this.window.end;
  }
  get atStart() {
    return this.first === 0 && this.window.from === 0;
  }
  get atEnd() {
    return this.last === this.rows.length && this.window.to >= this.end;
  }
  get drawnRows() {
    return this.rows.slice(this.first, this.last);
  }

  get pixelsPerByte() {
    const bytes = Math.max(1, this.window.to - this.window.from);
    return Math.min(
      (this.rows.length * ROW_PIXELS) / bytes,
      SPACER_PIXELS_MAX / Math.max(1, this.end),
    );
  }

  /**
   * @param {number} first
   * @param {number} last
   */
  draw(first, last) {
    this.first = first;
    this.last = last;
    this.list.replaceChildren(...this.drawnRows.map((row) => this.element(row)));
    this.setTop(this.idealTop());
    this.setBottom();
  }

  /** @param {LogRow} row */
  element(row) {
    row.element = rowElement(row, {
      query: this.query,
      mark: this.mark,
      onWhole: (whole) => {
        whole.whole = true;
        this.redraw(whole);
      },
    });
    return row.element;
  }

  /** @param {LogRow} row */
  redraw(row) {
    if (!row.element?.isConnected) return;
    const old = row.element;
    old.replaceWith(this.element(row));
  }

  /** Redraw the rows in place after another query or mark. */
  refresh() {
    for (const row of this.drawnRows) this.redraw(row);
    for (const element of this.list.querySelectorAll(".target")) {
      element.setAttribute("aria-current", "true");
    }
  }

  idealTop() {
    return this.atStart || !this.rows.length
      ? 0
      : this.rows[this.first].offset * this.pixelsPerByte;
  }

  /** @param {number} pixels */
  setTop(pixels) {
    this.topPixels = Math.max(0, pixels);
    this.top.style.height = `${this.topPixels}px`;
  }

  setBottom() {
    const last = this.rows[this.last - 1];
    const bytes = this.atEnd || !last ? 0 : this.end - last.end;
    this.bottom.style.height = `${bytes * this.pixelsPerByte}px`;
  }

  /** @param {number} pixels */
  scrollTo(pixels) {
    this.box.scrollTop = pixels;
    this.ownTop = this.box.scrollTop;
  }

  toBottom() {
    this.setBottom();
    this.scrollTo(this.box.scrollHeight);
  }

  /** Draw rows below; there must be some in memory. */
  drawBelow() {
    const next = this.rows.slice(this.last, this.last + STEP);
    this.list.append(...next.map((row) => this.element(row)));
    this.last += next.length;
    const over = this.last - this.first - ROWS_MAX;
    if (over > 0) {
      const before = this.list.offsetHeight;
      for (let index = 0; index < over; index += 1) this.list.firstChild?.remove();
      this.first += over;
      this.setTop(this.topPixels + before - this.list.offsetHeight);
    }
    this.setBottom();
  }

  /** Draw rows above; there must be some in memory. */
  drawAbove() {
    const start = Math.max(0, this.first - STEP);
    const before = this.list.offsetHeight;
    this.list.prepend(...this.rows.slice(start, this.first).map((row) => this.element(row)));
    this.first = start;
    this.grownAbove(this.list.offsetHeight - before);
    while (this.last - this.first > ROWS_MAX) {
      this.list.lastChild?.remove();
      this.last -= 1;
    }
    this.setBottom();
  }

  /**
   * Take the height of new rows from the spacer. If it has too little, the view moves with the rows.
   * @param {number} pixels
   */
  grownAbove(pixels) {
    const missing = pixels - this.topPixels;
    this.setTop(this.topPixels - pixels);
    if (missing > 0) this.scrollTo(this.box.scrollTop + missing);
  }

  /** @param {number} pixels */
  shift(pixels) {
    const view = this.box.scrollTop;
    this.setTop(this.topPixels + pixels);
    this.scrollTo(view + pixels);
  }

  /** @param {StoredLine[]} lines */
  append(lines) {
    const extended = this.window.append(lines);
    if (extended) this.redraw(extended);
    const dropped = this.window.dropAbove(this.first);
    this.first -= dropped;
    this.last -= dropped;
    this.setBottom();
  }

  /** @param {StoredLine[]} lines */
  prepend(lines) {
    const added = this.window.prepend(lines);
    this.first += added;
    this.last += added;
    this.window.dropBelow(this.last);
  }
}
