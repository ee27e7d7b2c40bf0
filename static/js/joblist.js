// A list of jobs: rows that are in view change in place; new ones wait behind a button, so that nothing moves under the pointer.
// Sentences as in mimir/frontend/pages/jobs/present.py.

import { getJson } from "./api.js";
import { Live } from "./live.js";
import { pieces } from "./logtext.js";
import { morph } from "./morph.js";
import { about, span } from "./time.js";

const list = document.querySelector("[data-joblist]");
const slug = list?.dataset.joblist;
const PARTS_MS = 2500;
const OPEN = ["launching", "running", "cancelling"];
const ENDED = ["succeeded", "failed", "cancelled"];
const WORDS = {
  queued: "Waiting",
  launching: "Starting",
  running: "Running",
  cancelling: "Cancelling",
  succeeded: "Succeeded",
  failed: "Failed",
  cancelled: "Cancelled",
};
const rows = new Map(
  [...document.querySelectorAll("[data-job]")].map((row) => [row.dataset.job, row]),
);
const asked = Date.parse(list?.dataset.asked || "") || 0; // when the page asked for its rows
const known = new Set(rows.keys()); // jobs that are no news: shown here, or older than this page
const fresh = new Set();
const sprite = document.querySelector("svg.i use")?.getAttribute("href").split("#")[0] || "";

function statusWord(job) {
  if (job.status === "queued" && job.attempt > 1)
    return `Retrying, attempt ${job.attempt}${job.attempt <= job.max_attempts ? ` of ${job.max_attempts}` : ""}`;
  if (job.status === "succeeded" && job.attempt > 1) return `Succeeded on attempt ${job.attempt}`;
  return WORDS[job.status] || job.status;
}

const statusShape = (job) => (job.status === "queued" && job.attempt > 1 ? "retrying" : job.status);

function why(job) {
  if (job.away) return job.away.detail;
  if (job.status === "queued") return waiting(job.waiting) || job.message;
  if (job.status === "launching") return job.message || "The worker is starting.";
  if (job.status === "running")
    return job.diagnosis?.summary || job.progress?.message || job.message;
  if (job.status === "cancelling") return "Stopping. It is killed if it does not stop soon.";
  if (job.status === "failed") return job.diagnosis?.summary || job.message || job.reason;
  if (job.status === "succeeded")
    return made(job) || job.message || "Done. Nothing was written to the project.";
  return `${cancelled(job)}. Nothing was written.`;
}

function cancelled(job) {
  const who = (job.message || "").replace(/\.$/, "") || "Cancelled";
  if (!job.started_at || !job.finished_at) return `${who} before it started`;
  return `${who} after ${span((new Date(job.finished_at) - new Date(job.started_at)) / 1000)}`;
}

function waiting(found) {
  if (!found) return "";
  if (found.blocked_by === "back_off") return found.detail || ""; // it says when
  return found.detail && found.estimate_seconds >= 1
    ? `${found.detail} In about ${about(found.estimate_seconds)}.`
    : found.detail || "";
}

function made(job) {
  const result = job.result || {};
  if ("model" in result && "version" in result)
    return `Created model ${result.model} v${result.version}.`;
  if ("twin" in result) return twinMade(result);
  const datasets = Array.isArray(result.datasets) ? result.datasets : [];
  if (!datasets.length) return "";
  const names = datasets
    .slice(0, 3)
    .map((row) => `${row.name} v${row.version}`)
    .join(", ");
  const rows = Number.isInteger(result.rows) ? `, ${result.rows.toLocaleString("en")} rows` : "";
  return `Wrote ${names}${datasets.length > 3 ? ` and ${datasets.length - 3} more` : ""}${rows}.`;
}

function twinMade(result) {
  const counts = [
    [result.created, "new"],
    [result.changed, "changed"],
    [result.removed, "removed"],
  ];
  const told = counts
    .filter(([count]) => Number.isInteger(count) && count)
    .map(([count, word]) => `${count.toLocaleString("en")} ${word}`)
    .join(", ");
  return told
    ? `Created revision ${result.revision} of twin ${result.twin}: ${told}.`
    : `Twin ${result.twin} is unchanged: no values differ.`;
}

const visible = (text) =>
  pieces(String(text || ""))
    .map((piece) => piece.text)
    .join("");

function put(element, text) {
  if (element && element.textContent !== text) element.textContent = text;
}

function statusCell(cell, job) {
  const shown = cell.querySelector(".st");
  const shape = statusShape(job);
  if (shown && shown.dataset.status === job.status && shown.classList.contains(`st-${shape}`)) {
    put(shown.querySelector("span"), statusWord(job));
    return;
  }
  const made = document.createElement("span");
  made.className = `st st-${shape}`;
  made.dataset.status = job.status;
  const icon = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  icon.setAttribute("class", "i");
  icon.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `${sprite}#${shape}`);
  icon.append(use);
  const word = document.createElement("span");
  word.textContent = statusWord(job);
  made.append(icon, word);
  cell.replaceChildren(made);
}

function progressCell(cell, job) {
  const fraction = job.progress?.fraction;
  if (!["running", "cancelling"].includes(job.status) || typeof fraction !== "number") {
    cell.replaceChildren();
    return;
  }
  let bar = cell.querySelector("progress");
  if (!bar) {
    bar = document.createElement("progress");
    bar.max = 100;
    bar.setAttribute("aria-label", "Progress");
    cell.replaceChildren(bar);
  }
  bar.value = Math.min(99, Math.max(0, Math.floor(fraction * 100)));
  bar.textContent = `${bar.value} %`;
}

function timeCell(cell, job) {
  if (job.finished_at) {
    cell.textContent = job.started_at
      ? span((new Date(job.finished_at) - new Date(job.started_at)) / 1000)
      : "";
    return;
  }
  const since = job.status === "queued" ? job.created_at : job.started_at;
  let element = cell.querySelector("[data-since]");
  if (!since) {
    cell.replaceChildren();
    return;
  }
  if (!element) {
    element = document.createElement("span");
    cell.replaceChildren(element);
  }
  element.dataset.since = since;
  if (job.status === "queued") element.dataset.before = "waits ";
  else delete element.dataset.before;
}

function show(row, job) {
  const cell = (name) => row.querySelector(`[data-cell="${name}"]`);
  statusCell(cell("status"), job);
  put(cell("why"), visible(why(job)));
  progressCell(cell("progress"), job);
  timeCell(cell("time"), job);
}

// A job is new when it was created after the page asked for its rows. A list that shows an older page, or is filtered by text, counts none.
function take(job) {
  const row = rows.get(job.id);
  if (row) show(row, job);
  else if (Date.parse(job.created_at) <= asked) known.add(job.id);
  else if (!known.has(job.id) && counts() && fits(job)) fresh.add(job.id);
  tellFresh();
}

const counts = () => list.dataset.first !== undefined || !("statuses" in list.dataset);

// Whether a new job belongs in this list, as far as its status tells: a list with a text or a label filter does not guess.
function fits(job) {
  const filter = new URLSearchParams(location.search);
  if (filter.get("q") || filter.get("label")) return false;
  if (filter.get("type") && filter.get("type") !== job.type) return false;
  const statuses = (list.dataset.statuses || "").split(" ").filter(Boolean);
  return !statuses.length || statuses.includes(job.status);
}

function tellFresh() {
  const link = document.querySelector("[data-newrows]");
  if (!link) return;
  link.hidden = fresh.size === 0;
  link.href = location.pathname + location.search;
  put(link.querySelector("span"), fresh.size === 1 ? "1 new job" : `${fresh.size} new jobs`);
}

function count(numbersOf) {
  const of = (...names) => names.reduce((sum, name) => sum + (numbersOf[name] || 0), 0);
  const numbers = {
    running: of(...OPEN),
    queued: of("queued"),
    waiting: of("queued"),
    failed: of("failed"),
    succeeded: of("succeeded"),
    cancelled: of("cancelled"),
  };
  for (const element of document.querySelectorAll("[data-count]")) {
    const number = numbers[element.dataset.count];
    if (number !== undefined)
      put(
        element,
        number > 1000 && element.closest(".seg") ? "over 1,000" : number.toLocaleString("en"),
      );
  }
}

let last = "";
let again = 0;

// Home shows more than rows: what jobs made, the workers they hold, the sample's steps. Those parts are read again soon after the counts changed.
function readPartsSoon() {
  if (list.dataset.home === undefined || again) return;
  again = setTimeout(async () => {
    again = 0;
    try {
      const response = await fetch(location.href, {
        headers: { Accept: "text/html" },
        credentials: "same-origin",
      });
      if (!response.ok || response.redirected) return;
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      for (const id of ["story", "usage", "new-results", "latest"]) {
        const [shown, next] = [document.getElementById(id), page.getElementById(id)];
        if (shown && next) morph(shown, next);
      }
    } catch {
      /* the next change asks again */
    }
  }, PARTS_MS);
}

function told(message) {
  if (message.kind === "snapshot") {
    for (const job of message.jobs) take(job);
    if (message.counts) {
      count(message.counts);
      last = JSON.stringify(message.counts);
    }
    lookAfterOld(new Set(message.jobs.map((job) => job.id)));
  } else if (message.kind === "job") take(message.job);
  else if (message.kind === "counts") {
    count(message.counts);
    last = JSON.stringify(message.counts);
    readPartsSoon();
  }
}

// Rows further down than the snapshot reaches may have changed while nothing came.
async function lookAfterOld(known) {
  const missing = [...rows].filter(
    ([id, row]) => !known.has(id) && !ENDED.includes(row.querySelector(".st")?.dataset.status),
  );
  for (const [id, row] of missing.slice(0, 50)) {
    try {
      show(row, await getJson(`/api/v1/jobs/${id}/`));
    } catch {
      return;
    }
  }
}

if (slug) {
  new Live({
    address: () => `/ws/projects/${encodeURIComponent(slug)}/`,
    onMessage: told,
    compare: async () => {
      const now = JSON.stringify(
        await getJson(`/api/v1/projects/${encodeURIComponent(slug)}/jobs/counts/`),
      );
      return last !== "" && now !== last;
    },
  });
}
