// Reading a log of any length by bytes: whole stored lines of a range, and the place of a line by its number.

import { request } from "./api.js";
import { LINE_MAX, parseLines } from "./logtext.js";

export class LogStore {
  constructor(job, attempt) {
    this.path = `/api/v1/jobs/${job}/logs/`;
    this.attempt = attempt;
    this.end = 0; // bytes
    this.lineCount = 0; // how many, as of the last look at the end
    this.complete = false;
  }

  async bytes(offset, limit) {
    const response = await request(
      `${this.path}?attempt=${this.attempt}&offset=${offset}&limit=${limit}`,
      { headers: { Accept: "text/plain" } },
    );
    const number = (name) => Number(response.headers.get(name) || 0);
    this.end = Math.max(this.end, number("Log-End"));
    this.complete = response.headers.get("Log-Complete") === "true";
    return {
      data: new Uint8Array(await response.arrayBuffer()),
      offset: number("Log-Offset"),
      line: number("Log-Line") || 1,
    };
  }

  // The stored lines that begin at or after `from` and end at or before `to`; at least one if there is one.
  // Reading begins one byte earlier: that byte tells whether a line begins at `from`.
  async lines(from, to) {
    const ask = Math.max(0, from - 1);
    const got = await this.bytes(ask, to - ask);
    let start = 0;
    let number = got.line;
    if (from > 0) {
      start = got.data.indexOf(10) + 1;
      if (start === 0) return [];
      number += 1;
    }
    return parseLines(got.data.subarray(start), got.offset + start, number);
  }

  // The end by now: its last byte belongs to the last line.
  async look() {
    const got = await this.bytes(-1, 1);
    this.lineCount = this.end ? got.line : 0;
    return this.end;
  }

  // Where line `number` begins, or the last line when there are fewer. By interpolation: a few short reads.
  async offsetOf(number) {
    await this.look();
    let low = 0,
      lowLine = 1,
      high = this.end,
      highLine = null;
    for (let round = 0; round < 40 && low < high; round += 1) {
      const share = highLine === null ? 0.5 : (number - lowLine) / Math.max(1, highLine - lowLine);
      const guess =
        number <= lowLine ? low : Math.floor(low + (high - low) * Math.min(Math.max(share, 0), 1));
      const from = Math.max(
        low,
        Math.min(guess, high - 1) - (round % 3 === 2 ? Math.floor((high - low) / 4) : 4 * LINE_MAX),
      );
      const lines = await this.lines(from, Math.min(from + 8 * LINE_MAX, this.end));
      if (!lines.length) {
        high = from;
        continue;
      }
      const last = lines[lines.length - 1];
      if (number >= lines[0].number && number <= last.number)
        return lines[number - lines[0].number].offset;
      if (number < lines[0].number) {
        high = lines[0].offset;
        highLine = lines[0].number;
      } else {
        low = last.end;
        lowLine = last.number + 1;
        if (low >= this.end) return last.offset;
      }
    }
    return low;
  }
}
