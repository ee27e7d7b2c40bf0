// The window on a log. It holds a run of whole rows around what is looked at and draws at most ROWS_MAX of them between two spacers.
// The scrollbar stands for bytes; wheel and keys move by real rows, because near the view the rows are really there.

import { isTarget, rowElement } from "./logrow.js";
import { LogStore } from "./logstore.js";
import { addRows, LINE_MAX, parseLines } from "./logtext.js";

const WINDOW = 256 * 1024; // bytes of one read
const KEPT = 8 * WINDOW; // bytes of rows in memory
const ROWS_MAX = 400; // rows in the page
const STEP = 80; // rows drawn at once
const NEAR = 900; // pixels before the edge of what is drawn where more is drawn
const SPACER_MAX = 8_000_000; // pixels; browsers stop at about twice that
const ROW_HEIGHT = 20;
const IDLE_MS = 300;
const PAINT_MS = 100;

export class LogView extends EventTarget {
  constructor(root, job) {
    super();
    this.job = job;
    this.box = root.querySelector("[data-log-lines]");
    [this.top, this.list, this.bottom] = ["top", "rows", "bottom"].map((name) =>
      root.querySelector(`[data-log-${name}]`),
    );
    this.query = "";
    this.mark = null;
    this.follow = false;
    this.live = false; // more may come
    this.reset(0);
    this.box.addEventListener("scroll", () => this.scrolled(), { passive: true });
    new ResizeObserver(() => {
      if (this.follow) this.toBottom();
      else this.settle();
    }).observe(this.box);
  }

  reset(attempt) {
    this.generation = (this.generation || 0) + 1;
    this.store = new LogStore(this.job, attempt);
    this.attempt = attempt;
    this.rows = [];
    this.from = this.to = this.first = this.last = 0; // bytes of the run; rows drawn
    this.topPixels = this.fresh = 0; // `fresh`: lines that came while the end was out of view
    this.reading = false;
    this.draw(0, 0);
  }

  get end() {
    return this.store.end;
  }
  get atStart() {
    return this.first === 0 && this.from === 0;
  }
  get atEnd() {
    return this.last === this.rows.length && this.to >= this.end;
  }
  get look() {
    return {
      query: this.query,
      mark: this.mark,
      onWhole: (row) => {
        row.whole = true;
        this.redraw(row);
      },
    };
  }

  // How many lines there are by now.
  get lineCount() {
    return this.store.lineCount;
  }

  changed() {
    this.dispatchEvent(new Event("change"));
  }

  // ---- opening a place ----

  async openEnd() {
    return this.openAt(Number.MAX_SAFE_INTEGER, "bottom");
  }

  // Show the row that holds byte `offset`: at the "top", in the "center", or the log's end at the "bottom".
  async openAt(offset, where, mark = null) {
    this.generation += 1;
    const generation = this.generation;
    this.mark = mark;
    this.reading = false;
    const held = this.rows.length && offset >= this.from && offset < this.to;
    if (!held || where === "bottom") {
      await this.store.look();
      if (generation !== this.generation) return false;
      const at = Math.min(offset, this.end);
      const from = Math.max(0, where === "bottom" ? this.end - WINDOW : at - WINDOW / 2);
      const lines = this.end
        ? await this.store.lines(from, Math.min(this.end, from + WINDOW + LINE_MAX))
        : [];
      if (generation !== this.generation) return false;
      this.rows = [];
      addRows(this.rows, lines);
      this.from = lines.length ? lines[0].offset : 0;
      this.to = lines.length ? lines[lines.length - 1].end : 0;
    }
    this.fresh = 0;
    this.place(this.indexOf(offset), where);
    this.changed();
    return true;
  }

  indexOf(offset) {
    let low = 0,
      high = this.rows.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.rows[middle].end > offset) high = middle;
      else low = middle + 1;
    }
    return Math.max(0, low);
  }

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

  // ---- drawing ----

  get pixelsPerByte() {
    const bytes = Math.max(1, this.to - this.from);
    return Math.min((this.rows.length * ROW_HEIGHT) / bytes, SPACER_MAX / Math.max(1, this.end));
  }

  draw(first, last) {
    this.first = first;
    this.last = last;
    this.list.replaceChildren(...this.rows.slice(first, last).map((row) => this.element(row)));
    this.setTop(this.idealTop());
    this.setBottom();
  }

  element(row) {
    row.element = rowElement(row, this.look);
    return row.element;
  }

  redraw(row) {
    if (row.element?.isConnected) {
      const old = row.element;
      old.replaceWith(this.element(row));
    }
  }

  // Draw again what is drawn (another query, another mark), without moving.
  refresh() {
    for (const row of this.rows.slice(this.first, this.last)) this.redraw(row);
    for (const element of this.list.querySelectorAll(".target")) {
      element.setAttribute("aria-current", "true");
    }
  }

  idealTop() {
    return this.atStart || !this.rows.length
      ? 0
      : this.rows[this.first].offset * this.pixelsPerByte;
  }
  setTop(pixels) {
    this.topPixels = Math.max(0, pixels);
    this.top.style.height = `${this.topPixels}px`;
  }

  setBottom() {
    const last = this.rows[this.last - 1];
    const bytes = this.atEnd || !last ? 0 : this.end - last.end;
    this.bottom.style.height = `${bytes * this.pixelsPerByte}px`;
  }

  scrollTo(pixels) {
    this.box.scrollTop = pixels;
    this.own = this.box.scrollTop;
  }

  toBottom() {
    this.setBottom();
    this.scrollTo(this.box.scrollHeight);
  }

  // ---- scrolling ----

  scrolled() {
    const position = this.box.scrollTop;
    const byUs = this.own !== undefined && Math.abs(position - this.own) < 1.5;
    if (!byUs) {
      if (position < (this.seen ?? position) - 1) this.setFollow(false);
      else if (this.live && !this.query && this.atEnd && this.atBottom()) this.setFollow(true);
    }
    this.own = undefined;
    this.seen = position;
    if (!this.frame)
      this.frame = requestAnimationFrame(() => {
        this.frame = 0;
        this.settle();
      });
    clearTimeout(this.idle);
    this.idle = setTimeout(() => this.align(), IDLE_MS);
  }

  atBottom() {
    return this.box.scrollTop + this.box.clientHeight >= this.box.scrollHeight - 4;
  }

  // Have rows drawn wherever the view is: further ones near an edge, other ones after a jump of the scrollbar.
  settle() {
    if (!this.rows.length) return;
    for (let round = 0; round < 12; round += 1) {
      const view = this.box.scrollTop,
        height = this.box.clientHeight;
      const end = this.topPixels + this.list.offsetHeight;
      if (
        (view > end + NEAR && !this.atEnd) ||
        (view + height < this.topPixels - NEAR && !this.atStart)
      ) {
        this.jump();
        return;
      }
      const moved =
        (end - view - height < NEAR && this.down()) || (view - this.topPixels < NEAR && this.up());
      if (!moved) return;
    }
  }

  jump() {
    clearTimeout(this.jumping);
    this.jumping = setTimeout(() => {
      const share = this.box.scrollTop / Math.max(1, this.box.scrollHeight - this.box.clientHeight);
      this.openAt(Math.floor(share * this.end), share > 0.999 ? "bottom" : "top", this.mark);
    }, 60);
  }

  down() {
    if (this.last === this.rows.length) {
      if (this.to < this.end) this.more(true);
      return false;
    }
    const next = this.rows.slice(this.last, this.last + STEP);
    this.list.append(...next.map((row) => this.element(row)));
    this.last += next.length;
    const over = this.last - this.first - ROWS_MAX;
    if (over > 0) {
      const before = this.list.offsetHeight;
      for (let index = 0; index < over; index += 1) this.list.firstChild.remove();
      this.first += over;
      this.setTop(this.topPixels + before - this.list.offsetHeight);
    }
    this.setBottom();
    return true;
  }

  up() {
    if (this.first === 0) {
      if (this.from > 0) this.more(false);
      else if (this.topPixels > 0) this.shift(-this.topPixels);
      return false;
    }
    const start = Math.max(0, this.first - STEP);
    const before = this.list.offsetHeight;
    this.list.prepend(...this.rows.slice(start, this.first).map((row) => this.element(row)));
    this.first = start;
    this.grownAbove(this.list.offsetHeight - before);
    while (this.last - this.first > ROWS_MAX) {
      this.list.lastChild.remove();
      this.last -= 1;
    }
    this.setBottom();
    return true;
  }

  // Rows came above: the spacer gives their height; where it has too little, the view moves with them.
  grownAbove(pixels) {
    const missing = pixels - this.topPixels;
    this.setTop(this.topPixels - pixels);
    if (missing > 0) this.scrollTo(this.box.scrollTop + missing);
  }

  shift(pixels) {
    const view = this.box.scrollTop;
    this.setTop(this.topPixels + pixels);
    this.scrollTo(view + pixels);
  }

  // The spacers again in proportion to the bytes, when nobody scrolls. Nothing that is seen moves.
  align() {
    if (!this.rows.length) return;
    const drift = this.idealTop() - this.topPixels;
    this.setBottom();
    if (Math.abs(drift) > 2 && !this.follow) this.shift(drift);
    this.settle();
  }

  async more(below) {
    if (this.reading) return;
    this.reading = true;
    const generation = this.generation;
    try {
      const lines = below
        ? await this.store.lines(this.to, Math.min(this.end, this.to + WINDOW + LINE_MAX))
        : await this.store.lines(Math.max(0, this.from - WINDOW), this.from);
      if (generation !== this.generation) return;
      if (below) this.append(lines);
      else this.prepend(lines);
    } catch {
      // the next scroll asks again
      return;
    } finally {
      if (generation === this.generation) this.reading = false;
    }
    this.settle();
    this.changed();
  }

  append(lines) {
    const mine = lines.filter((line) => line.offset >= this.to);
    if (!mine.length) return;
    const grown = addRows(this.rows, mine);
    if (grown) this.redraw(grown);
    this.to = mine[mine.length - 1].end;
    if (!this.from && this.rows[0]) this.from = this.rows[0].offset;
    this.forget(true);
    this.setBottom();
  }

  prepend(lines) {
    const rows = [];
    addRows(rows, lines);
    if (!rows.length) return;
    this.rows = rows.concat(this.rows);
    this.first += rows.length;
    this.last += rows.length;
    this.from = rows[0].offset;
    this.forget(false);
  }

  // Drop rows far from the view, so that a long read holds no more memory than a short one.
  forget(above) {
    if (this.to - this.from <= KEPT) return;
    if (above) {
      let drop = 0;
      while (drop < this.first && this.to - this.rows[drop].end > KEPT / 2) drop += 1;
      this.rows.splice(0, drop);
      this.first -= drop;
      this.last -= drop;
    } else {
      let keep = this.rows.length;
      while (keep > this.last && this.rows[keep - 1].offset - this.from > KEPT / 2) keep -= 1;
      this.rows.length = keep;
    }
    this.from = this.rows[0].offset;
    this.to = this.rows[this.rows.length - 1].end;
  }

  // ---- live ----

  // Stored lines `text` came at `offset`. Bytes that are no UTF-8 came as another character: then the text's length does not fit
  // the offsets, and the bytes are read instead.
  grow(offset, end, text) {
    if (end <= this.end) return;
    const reachedEnd = this.to >= this.end;
    this.store.end = end;
    const bytes = new TextEncoder().encode(text);
    let count = 0;
    for (const byte of bytes) if (byte === 10) count += 1;
    this.store.lineCount += count;
    const next = this.rows.length ? this.rows[this.rows.length - 1] : null;
    const number = next ? next.number + next.count : 1;
    if (
      reachedEnd &&
      offset === this.to &&
      bytes.length === end - offset &&
      end - this.from < KEPT * 2
    )
      this.append(parseLines(bytes, offset, number));
    if (!this.follow) {
      this.fresh += count;
      this.setBottom();
    }
    this.paintSoon();
  }

  paintSoon() {
    if (this.painting) return;
    this.painting = setTimeout(() => {
      this.painting = 0;
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
    if (this.to < this.end) await this.openAt(Number.MAX_SAFE_INTEGER, "bottom", this.mark);
    else if (this.rows.length - this.last > ROWS_MAX) this.place(0, "bottom");
    else {
      while (this.down());
      this.toBottom();
    }
  }

  setFollow(wanted) {
    if (this.follow === wanted) return;
    this.follow = wanted;
    if (wanted) {
      this.fresh = 0;
      this.showEnd();
    }
    this.changed();
  }

  markAt(offset) {
    this.mark = offset;
    for (const row of this.rows.slice(this.first, this.last))
      row.element?.classList.toggle("target", isTarget(row, offset));
  }
}
