// A list of jobs: visible rows change in place; new rows wait behind a button, because rows must not move
// under the pointer.

import { getJson } from "./api.js";
import { find, findAll, findOptional, icon, parsePage, setText } from "./dom.js";
import { Live } from "./live.js";
import { pieces } from "./logtext.js";
import { morph } from "./morph.js";
import { span } from "./time.js";

const PARTS = ["sample-steps", "usage", "new-results", "latest"]; // of the home page
const PARTS_MS = 2500;
const CHECKED_MAX = 50; // rows read one by one after a snapshot
const ENDED = ["succeeded", "failed", "cancelled"];

const list = findOptional("[data-joblist]", HTMLElement);
/** @type {DOMStringMap} */
const settings = list ? list.dataset : {};
const slug = settings.joblist;
const rows = new Map(findAll("[data-job]").map((row) => [row.dataset.job || "", row]));
const renderedAt = Date.parse(settings.rendered || "") || 0;
const known = new Set(rows.keys()); // jobs that are shown here or older than this page
/** @type {Set<string>} */
const fresh = new Set();
let lastCounts = ""; // as JSON
let partsTimer = 0;

/**
 * Return the icon of a status: a job between two attempts has its own.
 * @param {JobSummary} job
 */
const statusShape = (job) => (job.status === "queued" && job.attempt > 1 ? "retrying" : job.status);

/**
 * Return a text with visible signs for hidden characters.
 * @param {string} text
 */
const visible = (text) =>
  pieces(text)
    .map((piece) => piece.text)
    .join("");

/**
 * @param {Element} cell
 * @param {JobSummary} job
 */
function showStatus(cell, job) {
  const shown = cell.querySelector(".st");
  const shape = statusShape(job);
  const same = shown?.getAttribute("data-status") === job.status;
  if (same && shown.classList.contains(`st-${shape}`)) {
    setText(shown.querySelector("span"), job.status_label);
    return;
  }
  const status = document.createElement("span");
  status.className = `st st-${shape}`;
  status.dataset.status = job.status;
  const label = document.createElement("span");
  label.textContent = job.status_label;
  status.append(icon(shape), label);
  cell.replaceChildren(status);
}

/**
 * @param {Element} cell
 * @param {JobSummary} job
 */
function showProgress(cell, job) {
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

/**
 * @param {Element} cell
 * @param {JobSummary} job
 */
function showTime(cell, job) {
  if (job.finished_at) {
    const { started_at: start, finished_at: end } = job;
    cell.textContent = start ? span((Date.parse(end) - Date.parse(start)) / 1000) : "";
    return;
  }
  const since = job.status === "queued" ? job.created_at : job.started_at;
  if (!since) {
    cell.replaceChildren();
    return;
  }
  let [element] = findAll("[data-since]", cell);
  if (!element) {
    element = document.createElement("span");
    cell.replaceChildren(element);
  }
  element.dataset.since = since;
  if (job.status === "queued") element.dataset.before = "waiting ";
  else delete element.dataset.before;
}

/**
 * @param {HTMLElement} row
 * @param {JobSummary} job
 */
function showJob(row, job) {
  /** @param {string} name */
  const cell = (name) => find(`[data-cell="${name}"]`, HTMLElement, row);
  showStatus(cell("status"), job);
  setText(cell("why"), visible(job.status_text));
  showProgress(cell("progress"), job);
  showTime(cell("time"), job);
}

/**
 * Show a job in its row, or count it as new if it was created after the page.
 * @param {JobSummary} job
 */
function receiveJob(job) {
  const row = rows.get(job.id);
  if (row) showJob(row, job);
  else if (Date.parse(job.created_at) <= renderedAt) known.add(job.id);
  else if (!known.has(job.id) && countsNewJobs() && fits(job)) fresh.add(job.id);
  showNewCount();
}

/** Return false for an older page of a list and for a filtered one, which count no new jobs. */
const countsNewJobs = () => settings.first !== undefined || !("statuses" in settings);

/**
 * Return true if the job belongs in this list. A list with a text or a label filter has no answer
 * without the server, and counts no new jobs.
 * @param {JobSummary} job
 */
function fits(job) {
  const filter = new URLSearchParams(location.search);
  if (filter.get("q") || filter.get("label")) return false;
  if (filter.get("type") && filter.get("type") !== job.type) return false;
  const statuses = (settings.statuses || "").split(" ").filter(Boolean);
  return !statuses.length || statuses.includes(job.status);
}

function showNewCount() {
  const link = findOptional("[data-newrows]", HTMLAnchorElement);
  if (!link) return;
  link.hidden = fresh.size === 0;
  link.href = location.pathname + location.search;
  setText(link.querySelector("span"), fresh.size === 1 ? "1 new job" : `${fresh.size} new jobs`);
}

/** @param {JobCounts} counts */
function showCounts(counts) {
  lastCounts = JSON.stringify(counts);
  const { queued = 0, launching = 0, running = 0, cancelling = 0 } = counts;
  /** @type {Record<string, number | undefined>} */
  const numbers = {
    running: launching + running + cancelling,
    queued,
    waiting: queued,
    failed: counts.failed ?? 0,
    succeeded: counts.succeeded ?? 0,
    cancelled: counts.cancelled ?? 0,
  };
  for (const element of findAll("[data-count]")) {
    const number = numbers[element.dataset.count || ""];
    if (number === undefined) continue;
    const many = number > 1000 && element.closest(".seg");
    setText(element, many ? "over 1,000" : number.toLocaleString("en"));
  }
}

/** Read the other parts of the home page again soon after the counts changed. */
function refreshPartsSoon() {
  if (settings.home === undefined || partsTimer) return;
  partsTimer = setTimeout(() => {
    partsTimer = 0;
    refreshParts().catch(() => {}); // the next change reads again
  }, PARTS_MS);
}

async function refreshParts() {
  const response = await fetch(location.href, {
    headers: { Accept: "text/html" },
    credentials: "same-origin",
  });
  if (!response.ok || response.redirected) return;
  const page = await parsePage(response);
  for (const id of PARTS) {
    const [shown, next] = [document.getElementById(id), page.getElementById(id)];
    if (shown && next) morph(shown, next);
  }
}

/** @param {ProjectMessage} message */
function received(message) {
  if (message.kind === "snapshot") {
    for (const job of message.jobs) receiveJob(job);
    if (message.counts) showCounts(message.counts);
    readMissing(new Set(message.jobs.map((job) => job.id)));
  } else if (message.kind === "job") receiveJob(message.job);
  else if (message.kind === "counts") {
    showCounts(message.counts);
    refreshPartsSoon();
  }
}

/**
 * Read open jobs that a snapshot does not reach: they may have changed while the socket was lost.
 * @param {Set<string>} reached
 */
async function readMissing(reached) {
  const missing = [...rows].filter(
    ([id, row]) =>
      !reached.has(id) &&
      !ENDED.includes(row.querySelector(".st")?.getAttribute("data-status") || ""),
  );
  for (const [id, row] of missing.slice(0, CHECKED_MAX)) {
    try {
      showJob(row, await getJson(`/api/v1/jobs/${id}/`));
    } catch {
      return;
    }
  }
}

if (slug) {
  const project = encodeURIComponent(slug);
  new Live({
    address: () => `/ws/projects/${project}/`,
    onMessage: received,
    compare: async () => {
      const counts = JSON.stringify(await getJson(`/api/v1/projects/${project}/jobs/counts/`));
      return lastCounts !== "" && counts !== lastCounts;
    },
  });
}
