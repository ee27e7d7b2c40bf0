// The page of a job. The socket reports changes; the page is then requested again and changed in place.

import { getJson, toSignIn } from "./api.js";
import { find, parsePage, targetOf } from "./dom.js";
import { Live } from "./live.js";
import { LogPanel } from "./logpanel.js";
import { morph } from "./morph.js";
import { tick } from "./time.js";

const SPACING_MS = 400; // between two reads of the page
// Memory and attempts change without an event: read the page after these times.
const FIGURES_MS = [4000, 4000, 4000, 8000, 15_000];
// A silent worker may come back between two looks of the socket, which then reports neither.
const SILENT_MS = 5000;

const root = find("#job", HTMLElement);
const id = root.dataset.job || "";
const panel = new LogPanel(find("#log", HTMLElement));
let lastSeq = Number(root.dataset.after); // of the last known event
/** @type {JobSummary | null} As the socket last reported it. */
let job = null;
let reading = false;
let wanted = false;
let lastReadAt = 0;
let refreshTimer = 0;
let silentTimer = 0;
let figuresTimer = 0;
let figuresReads = 0;

function refreshSoon() {
  wanted = true;
  if (reading || refreshTimer) return;
  refreshTimer = setTimeout(
    () => {
      refreshTimer = 0;
      refresh();
    },
    Math.max(0, lastReadAt + SPACING_MS - Date.now()),
  );
}

async function refresh() {
  if (reading || !wanted) return;
  wanted = false;
  lastReadAt = Date.now();
  reading = true;
  try {
    await readPage();
  } catch {
    wanted = true; // the socket's banner reports the loss; retry
  }
  reading = false;
  if (wanted) setTimeout(refreshSoon, SPACING_MS);
}

async function readPage() {
  const response = await fetch(location.pathname + location.search, {
    headers: { Accept: "text/html" },
    credentials: "same-origin",
  });
  if (response.redirected && new URL(response.url).pathname === "/signin/") {
    toSignIn();
    return;
  }
  if (!response.ok) throw new Error(String(response.status));
  const page = await parsePage(response);
  const next = page.getElementById("job");
  if (!next) return;
  const statusBefore = root.dataset.status;
  const reasonBefore = reasonCard()?.dataset.why;
  morph(root, next);
  fold(reasonBefore);
  document.title = page.title;
  replaceFavicon(page);
  panel.showStatus();
  tick(root);
  announce(statusBefore);
  refreshWhileSilent();
  readFiguresLater();
}

/** @param {Document} page */
function replaceFavicon(page) {
  const icon = document.getElementById("favicon");
  const href = page.getElementById("favicon")?.getAttribute("href");
  if (icon && href && icon.getAttribute("href") !== href) icon.setAttribute("href", href);
}

const reasonCard = () => document.getElementById("job-why");

/**
 * Fold a card that appeared on an open page: it must not push down the text that is being read. It
 * shows its headline and opens by its button.
 * @param {string | undefined} before Reason of the card before.
 */
function fold(before) {
  const card = reasonCard();
  if (!card || root.dataset.opened !== "live") return;
  if (card.dataset.why !== before) {
    if (card.classList.contains("why")) card.dataset.folded = "1";
    else delete card.dataset.folded;
  }
  card
    .querySelector("[data-unfold]")
    ?.setAttribute("aria-expanded", String(card.dataset.folded !== "1"));
}

root.addEventListener("click", (event) => {
  const card = reasonCard();
  if (!card || !targetOf(event)?.closest("[data-unfold]")) return;
  card.dataset.folded = card.dataset.folded === "1" ? "0" : "1";
  fold(card.dataset.why);
});

/** Heartbeats are not events: read the page from time to time while the job runs. */
function readFiguresLater() {
  if (figuresTimer || root.dataset.status !== "running") return;
  figuresTimer = setTimeout(
    () => {
      figuresTimer = 0;
      if (document.hidden) readFiguresLater();
      else {
        figuresReads += 1;
        refreshSoon();
      }
    },
    FIGURES_MS[Math.min(figuresReads, FIGURES_MS.length - 1)],
  );
}

function refreshWhileSilent() {
  clearTimeout(silentTimer);
  if (root.querySelector("[data-why=away]")) silentTimer = setTimeout(refreshSoon, SILENT_MS);
}

/**
 * Announce a change of status to screen readers once.
 * @param {string | undefined} before
 */
function announce(before) {
  if (root.dataset.status === before) return;
  const status = root.querySelector(".st.pill")?.textContent || "";
  const reason = root.querySelector("#job-why h2, #job-why strong")?.textContent || "";
  find("#say", HTMLElement).textContent = `${status}. ${reason}`;
}

/** @param {JobMessage} message */
function received(message) {
  if (message.kind === "event") {
    if (message.seq <= lastSeq) return;
    lastSeq = message.seq;
    refreshSoon();
  } else if (message.kind === "log") panel.received(message);
  else if (message.kind === "job") {
    const first = job === null;
    job = message.job;
    panel.jobChanged(job);
    if (!first || job.status !== root.dataset.status || !panel.ended) refreshSoon();
  } else if (message.kind === "end") {
    panel.finish();
    if (!root.dataset.ended) refreshSoon();
  }
}

/** @param {JobSummary} row */
const stateOf = (row) => JSON.stringify([row.status, row.attempt, row.progress, row.message]);

/** Resolve to true if the API has a newer state than this page. */
async function compare() {
  const now = await getJson(`/api/v1/jobs/${id}/`);
  return job !== null && stateOf(now) !== stateOf(job);
}

function address() {
  const { attempt, offset } = panel.liveAt;
  return `/ws/jobs/${id}/?after=${lastSeq}&attempt=${attempt}&offset=${offset}`;
}

async function start() {
  const latest = Number(root.dataset.attempt);
  const shown = Number(panel.root.dataset.attempt);
  try {
    await panel.open(shown);
    if (shown !== latest) await skipLinesOf(latest);
  } catch {
    /* the log is read again when the connection is back */
  }
  new Live({ address, onMessage: received, compare });
}

/**
 * While an earlier attempt is shown, start the socket at the end of the latest one: its lines are not
 * shown.
 * @param {number} attempt
 */
async function skipLinesOf(attempt) {
  const { LogStore } = await import("./logstore.js");
  const store = new LogStore(id, attempt);
  panel.liveAt = { attempt, offset: await store.readEnd() };
}

refreshWhileSilent();
readFiguresLater();
start();
