// The view of a log: places to open, scrolling, following the end. The scrollbar stands for bytes; wheel
// and keys move by real rows, because rows near the view are real.

import { isTarget } from "./logrow.js";
import { LogRows, ROWS_MAX } from "./logrows.js";
import { LogWindow } from "./logwindow.js";

const NEAR_PIXELS = 900; // from the edge of the drawn rows at which more are drawn
const IDLE_MS = 300;
const PAINT_MS = 100;
const JUMP_MS = 60;
const END = Number.MAX_SAFE_INTEGER;

/** @typedef {"top" | "center" | "bottom"} Place */

/** Dispatches "change" after its state changed. */
export class LogView extends LogRows {
  /**
   * @param {HTMLElement} root
   * @param {string} job
   */
  constructor(root, job) {
    super(root, job);
    this.follow = false;
    this.live = false; // more lines may come
    this.generation = 0; // changes when earlier reads become obsolete
    this.attempt = 0;
    this.fresh = 0; // lines that came while the end was not in view
    this.reading = false;
    this.frame = 0;
    this.idleTimer = 0;
    this.jumpTimer = 0;
    this.paintTimer = 0;
    /** @type {number | undefined} Scroll position at the last event. */
    this.lastTop = undefined;
    this.box.addEventListener("scroll", () => this.scrolled(), { passive: true });
    new ResizeObserver(() => {
      if (this.follow) this.toBottom();
      else this.settle();
    }).observe(this.box);
  }

  /** @param {number} attempt */
  reset(attempt) {
    this.generation += 1;
    this.window = new LogWindow(this.job, attempt);
    this.attempt = attempt;
    this.first = 0;
    this.last = 0;
    this.topPixels = 0;
    this.fresh = 0;
    this.reading = false;
    this.draw(0, 0);
  }

  changed() {
    this.dispatchEvent(new Event("change"));
  }

  // ---- opening a place ----

  async openEnd() {
    return this.openAt(END, "bottom");
  }

  /**
   * Show the row that holds the byte `offset` at the top or in the center, or the end of the log at
   * the bottom. Resolves to false if a newer call has replaced this one.
   * @param {number} offset
   * @param {Place} where
   * @param {number | null} [mark]
   */
  async openAt(offset, where, mark = null) {
    this.generation += 1;
    const generation = this.generation;
    this.mark = mark;
    this.reading = false;
    if (!this.window.holds(offset) || where === "bottom") {
      const lines = await this.window.readAround(offset, where === "bottom");
      if (generation !== this.generation) return false;
      this.window.replace(lines);
    }
    this.fresh = 0;
    this.place(this.window.indexOf(offset), where);
    this.changed();
    return true;
  }

  /**
   * @param {number} index
   * @param {Place} where
   */
  place(index, where) {
    if (where === "bottom") {
      this.draw(Math.max(0, this.rows.length - ROWS_MAX / 2), this.rows.length);
      this.toBottom();
      return;
    }
    this.draw(Math.max(0, index - ROWS_MAX / 2), Math.min(this.rows.length, index + ROWS_MAX / 2));
    const row = this.rows[index]?.element;
    if (!row) return;
    const above =
      where === "center" ? Math.max(0, (this.box.clientHeight - row.offsetHeight) / 2) : 0;
    this.scrollTo(this.topPixels + row.offsetTop - this.list.offsetTop - above);
    this.settle();
  }

  // ---- scrolling ----

  scrolled() {
    const top = this.box.scrollTop;
    const byScript = this.ownTop !== undefined && Math.abs(top - this.ownTop) < 1.5;
    if (!byScript) {
      if (top < (this.lastTop ?? top) - 1) this.setFollow(false);
      else if (this.live && !this.query && this.atEnd && this.atBottom()) this.setFollow(true);
    }
    this.ownTop = undefined;
    this.lastTop = top;
    if (!this.frame)
      this.frame = requestAnimationFrame(() => {
        this.frame = 0;
        this.settle();
      });
    clearTimeout(this.idleTimer);
    this.idleTimer = setTimeout(() => this.align(), IDLE_MS);
  }

  atBottom() {
    return this.box.scrollTop + this.box.clientHeight >= this.box.scrollHeight - 4;
  }

  /** Draw rows at the view: more near an edge, others after a jump of the scrollbar. */
  settle() {
    if (!this.rows.length) return;
    for (let round = 0; round < 12; round += 1) {
      const view = this.box.scrollTop;
      const height = this.box.clientHeight;
      const end = this.topPixels + this.list.offsetHeight;
      const below = view > end + NEAR_PIXELS && !this.atEnd;
      const above = view + height < this.topPixels - NEAR_PIXELS && !this.atStart;
      if (below || above) {
        this.jump();
        return;
      }
      const moved =
        (end - view - height < NEAR_PIXELS && this.down()) ||
        (view - this.topPixels < NEAR_PIXELS && this.up());
      if (!moved) return;
    }
  }

  jump() {
    clearTimeout(this.jumpTimer);
    this.jumpTimer = setTimeout(() => {
      const range = Math.max(1, this.box.scrollHeight - this.box.clientHeight);
      const share = this.box.scrollTop / range;
      this.openAt(Math.floor(share * this.end), share > 0.999 ? "bottom" : "top", this.mark);
    }, JUMP_MS);
  }

  /** Draw rows below. Returns false if there are none in memory; then it reads more. */
  down() {
    if (this.last < this.rows.length) {
      this.drawBelow();
      return true;
    }
    if (this.window.to < this.end) this.readMore(true);
    return false;
  }

  /** Draw rows above. Returns false if there are none in memory; then it reads more. */
  up() {
    if (this.first > 0) {
      this.drawAbove();
      return true;
    }
    if (this.window.from > 0) this.readMore(false);
    else if (this.topPixels > 0) this.shift(-this.topPixels);
    return false;
  }

  /** Make the spacers proportional to the bytes again while nobody scrolls. The view stays. */
  align() {
    if (!this.rows.length) return;
    const drift = this.idealTop() - this.topPixels;
    this.setBottom();
    if (Math.abs(drift) > 2 && !this.follow) this.shift(drift);
    this.settle();
  }

  /** @param {boolean} below */
  async readMore(below) {
    if (this.reading) return;
    this.reading = true;
    const generation = this.generation;
    try {
      const lines = await this.window.readNext(below);
      if (generation !== this.generation) return;
      if (below) this.append(lines);
      else this.prepend(lines);
    } catch {
      return; // the next scroll reads again
    } finally {
      if (generation === this.generation) this.reading = false;
    }
    this.settle();
    this.changed();
  }

  // ---- live ----

  /**
   * Add stored lines that were written at byte `offset`.
   * @param {number} offset
   * @param {number} end
   * @param {string} text
   */
  grow(offset, end, text) {
    if (end <= this.end) return;
    const { count, lines } = this.window.grow(offset, end, text);
    if (lines.length) this.append(lines);
    if (!this.follow) {
      this.fresh += count;
      this.setBottom();
    }
    this.paintSoon();
  }

  paintSoon() {
    if (this.paintTimer) return;
    this.paintTimer = setTimeout(() => {
      this.paintTimer = 0;
      requestAnimationFrame(() => this.paint());
    }, PAINT_MS);
  }

  async paint() {
    if (document.hidden) {
      document.addEventListener("visibilitychange", () => this.paintSoon(), { once: true });
      return;
    }
    if (this.follow) await this.showEnd();
    else this.settle();
    this.changed();
  }

  async showEnd() {
    if (this.window.to < this.end) await this.openAt(END, "bottom", this.mark);
    else if (this.rows.length - this.last > ROWS_MAX) this.place(0, "bottom");
    else {
      while (this.down());
      this.toBottom();
    }
  }

  /** @param {boolean} wanted */
  setFollow(wanted) {
    if (this.follow === wanted) return;
    this.follow = wanted;
    if (wanted) {
      this.fresh = 0;
      this.showEnd();
    }
    this.changed();
  }

  /** @param {number} offset */
  markAt(offset) {
    this.mark = offset;
    for (const row of this.drawnRows) {
      row.element?.classList.toggle("target", isTarget(row, offset));
    }
  }
}
