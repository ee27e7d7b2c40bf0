// Read a log of any length by byte ranges: the whole stored lines of a range, and the place of a line
// by its number.

import { request } from "./api.js";
import { LINE_MAX, parseLines } from "./logtext.js";

const NEWLINE = 10;
const ROUNDS_MAX = 40; // reads to find a line by its number

export class LogStore {
  /**
   * @param {string} job
   * @param {number} attempt
   */
  constructor(job, attempt) {
    this.path = `/api/v1/jobs/${job}/logs/`;
    this.attempt = attempt;
    this.end = 0; // bytes
    this.lineCount = 0; // as of the last `readEnd()`
    this.complete = false;
  }

  /**
   * @param {number} offset
   * @param {number} limit
   */
  async bytes(offset, limit) {
    const response = await request(
      `${this.path}?attempt=${this.attempt}&offset=${offset}&limit=${limit}`,
      { headers: { Accept: "text/plain" } },
    );
    /** @param {string} name */
    const number = (name) => Number(response.headers.get(name) || 0);
    this.end = Math.max(this.end, number("Log-End"));
    this.complete = response.headers.get("Log-Complete") === "true";
    return {
      data: new Uint8Array(await response.arrayBuffer()),
      offset: number("Log-Offset"),
      line: number("Log-Line") || 1,
    };
  }

  /**
   * Return the stored lines that begin at or after `from` and end at or before `to`; at least one if
   * there is one. Reading begins one byte earlier: that byte shows whether a line begins at `from`.
   * @param {number} from
   * @param {number} to
   * @returns {Promise<StoredLine[]>}
   */
  async lines(from, to) {
    const begin = Math.max(0, from - 1);
    const read = await this.bytes(begin, to - begin);
    let start = 0;
    let number = read.line;
    if (from > 0) {
      start = read.data.indexOf(NEWLINE) + 1;
      if (start === 0) return [];
      number += 1;
    }
    return parseLines(read.data.subarray(start), read.offset + start, number);
  }

  /** Read the current end of the log. Its last byte belongs to the last line. */
  async readEnd() {
    const read = await this.bytes(-1, 1);
    this.lineCount = this.end ? read.line : 0;
    return this.end;
  }

  /**
   * Return the byte at which a line begins, or the last line if there are fewer. A few short reads,
   * by interpolation.
   * @param {number} number
   * @returns {Promise<number>}
   */
  async offsetOf(number) {
    await this.readEnd();
    let low = 0;
    let lowLine = 1;
    let high = this.end;
    /** @type {number | null} */
    let highLine = null;
    for (let round = 0; round < ROUNDS_MAX && low < high; round += 1) {
      const share = highLine === null ? 0.5 : (number - lowLine) / Math.max(1, highLine - lowLine);
      const guess =
        number <= lowLine ? low : Math.floor(low + (high - low) * Math.min(Math.max(share, 0), 1));
      const back = round % 3 === 2 ? Math.floor((high - low) / 4) : 4 * LINE_MAX;
      const from = Math.max(low, Math.min(guess, high - 1) - back);
      const lines = await this.lines(from, Math.min(from + 8 * LINE_MAX, this.end));
      if (!lines.length) {
        high = from;
        continue;
      }
      const first = lines[0];
      const last = lines[lines.length - 1];
      if (number >= first.number && number <= last.number)
        return lines[number - first.number].offset;
      if (number < first.number) {
        high = first.offset;
        highLine = first.number;
      } else {
        low = last.end;
        lowLine = last.number + 1;
        if (low >= this.end) return last.offset;
      }
    }
    return low;
  }
}
