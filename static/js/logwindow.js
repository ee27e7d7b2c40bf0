// The part of a log in memory: a run of whole rows around the view, by byte offsets.

import { LogStore } from "./logstore.js";
import { addRows, LINE_MAX, parseLines } from "./logtext.js";

const READ_BYTES = 256 * 1024; // of one read
const KEPT_BYTES = 8 * READ_BYTES; // of rows in memory
const NEWLINE = 10;

export class LogWindow {
  /**
   * @param {string} job
   * @param {number} attempt
   */
  constructor(job, attempt) {
    this.store = new LogStore(job, attempt);
    /** @type {LogRow[]} */
    this.rows = [];
    this.from = 0; // bytes of the log: begin and end of the rows
    this.to = 0;
  }

  /** Bytes of the whole log, as far as known. */
  get end() {
    return this.store.end;
  }

  /** @param {number} offset */
  holds(offset) {
    return this.rows.length > 0 && offset >= this.from && offset < this.to;
  }

  /**
   * Return the index of the row that holds the byte `offset`, or of the nearest row.
   * @param {number} offset
   */
  indexOf(offset) {
    let low = 0;
    let high = this.rows.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.rows[middle].end > offset) high = middle;
      else low = middle + 1;
    }
    return Math.max(0, low);
  }

  /**
   * Read the lines around the byte `offset`, or the last lines. The rows do not change.
   * @param {number} offset
   * @param {boolean} atEnd
   */
  async readAround(offset, atEnd) {
    await this.store.readEnd();
    if (!this.end) return [];
    const at = Math.min(offset, this.end);
    const from = Math.max(0, atEnd ? this.end - READ_BYTES : at - READ_BYTES / 2);
    return this.store.lines(from, Math.min(this.end, from + READ_BYTES + LINE_MAX));
  }

  /**
   * Read the lines after or before the rows.
   * @param {boolean} below
   */
  readNext(below) {
    return below
      ? this.store.lines(this.to, Math.min(this.end, this.to + READ_BYTES + LINE_MAX))
      : this.store.lines(Math.max(0, this.from - READ_BYTES), this.from);
  }

  /** @param {StoredLine[]} lines */
  replace(lines) {
    this.rows = [];
    addRows(this.rows, lines);
    this.from = lines.length ? lines[0].offset : 0;
    this.to = lines.length ? lines[lines.length - 1].end : 0;
  }

  /**
   * Add lines after the rows. Returns the row that was extended, if any.
   * @param {StoredLine[]} lines
   */
  append(lines) {
    const added = lines.filter((line) => line.offset >= this.to);
    if (!added.length) return null;
    const extended = addRows(this.rows, added);
    this.to = added[added.length - 1].end;
    if (!this.from && this.rows[0]) this.from = this.rows[0].offset;
    return extended;
  }

  /**
   * Add lines before the rows. Returns the number of new rows.
   * @param {StoredLine[]} lines
   */
  prepend(lines) {
    /** @type {LogRow[]} */
    const rows = [];
    addRows(rows, lines);
    if (rows.length) {
      this.rows = rows.concat(this.rows);
      this.from = rows[0].offset;
    }
    return rows.length;
  }

  get isFull() {
    return this.to - this.from > KEPT_BYTES;
  }

  /**
   * Drop rows far above the row `first`: memory does not grow with a long read. Returns their number.
   * @param {number} first
   */
  dropAbove(first) {
    if (!this.isFull) return 0;
    let count = 0;
    while (count < first && this.to - this.rows[count].end > KEPT_BYTES / 2) count += 1;
    this.rows.splice(0, count);
    this.from = this.rows[0].offset;
    return count;
  }

  /**
   * Drop rows far below the row `last`.
   * @param {number} last
   */
  dropBelow(last) {
    if (!this.isFull) return;
    let count = this.rows.length;
    while (count > last && this.rows[count - 1].offset - this.from > KEPT_BYTES / 2) count -= 1;
    this.rows.length = count;
    this.to = this.rows[count - 1].end;
  }

  /**
   * Record that stored lines `text` were added to the log. Returns the number of lines and those that
   * continue the rows. Bytes that are not UTF-8 arrive as a replacement character; then the length
   * does not fit the offsets and the bytes must be read.
   * @param {number} offset
   * @param {number} end
   * @param {string} text
   * @returns {{ count: number, lines: StoredLine[] }}
   */
  grow(offset, end, text) {
    const reachedEnd = this.to >= this.end;
    this.store.end = end;
    const bytes = new TextEncoder().encode(text);
    let count = 0;
    for (const byte of bytes) if (byte === NEWLINE) count += 1;
    this.store.lineCount += count;
    const last = this.rows[this.rows.length - 1];
    const number = last ? last.number + last.count : 1;
    const continues = reachedEnd && offset === this.to && bytes.length === end - offset;
    const lines =
      continues && end - this.from < KEPT_BYTES * 2 ? parseLines(bytes, offset, number) : [];
    return { count, lines };
  }
}
