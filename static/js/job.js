// The page of one job: the socket says that something changed, the page is asked for again, and what differs is taken over.

import { getJson, toSignIn } from "./api.js";
import { Live } from "./live.js";
import { LogPanel } from "./logpanel.js";
import { morph } from "./morph.js";
import { tick } from "./time.js";

const SPACING_MS = 400; // between two readings of the page while a job moves fast
const FIGURES_MS = [4000, 4000, 4000, 8000, 15_000]; // memory and attempts change without an event: read again after these times
const SILENT_MS = 5000; // while nobody hears of it: that may begin and end between two looks of the socket, which then tells of neither

const root = document.getElementById("job");
const id = root.dataset.job;
const position = { seq: Number(root.dataset.after) };
const panel = new LogPanel(document.getElementById("log"));
let job = null; // as the socket told last
let reading = null,
  wanted = false,
  lastRead = 0,
  timer = 0,
  silent = 0,
  figures = 0,
  figuresRead = 0;

function refreshSoon() {
  wanted = true;
  if (reading || timer) return;
  timer = setTimeout(
    () => {
      timer = 0;
      refresh();
    },
    Math.max(0, lastRead + SPACING_MS - Date.now()),
  );
}

async function refresh() {
  if (reading || !wanted) return;
  wanted = false;
  lastRead = Date.now();
  reading = readPage();
  try {
    await reading;
  } catch {
    // the socket's banner says that nothing answers; it asks again when it is back
    wanted = true;
  }
  reading = null;
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
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const next = page.getElementById("job");
  if (!next) return;
  const before = root.dataset.status,
    whyBefore = why()?.dataset.why;
  morph(root, next);
  fold(whyBefore);
  document.title = page.title;
  const icon = document.getElementById("favicon");
  const nextIcon = page.getElementById("favicon")?.getAttribute("href");
  if (nextIcon && icon.getAttribute("href") !== nextIcon) icon.setAttribute("href", nextIcon);
  panel.foot();
  tick(root);
  announce(before);
  lookAgainWhileSilent();
  readFiguresLater();
}

const why = () => document.getElementById("job-why");

// A card that appears while the page is watched must not push down what is being read: it shows its headline and opens by its button.
function fold(before) {
  const card = why();
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
  if (!event.target.closest("[data-unfold]")) return;
  const card = why();
  card.dataset.folded = card.dataset.folded === "1" ? "0" : "1";
  fold(card.dataset.why);
});

// A worker's heartbeats tell of no event: while it runs, the page is read again from time to time.
function readFiguresLater() {
  if (figures || root.dataset.status !== "running") return;
  figures = setTimeout(
    () => {
      figures = 0;
      if (document.hidden) readFiguresLater();
      else {
        figuresRead += 1;
        refreshSoon();
      }
    },
    FIGURES_MS[Math.min(figuresRead, FIGURES_MS.length - 1)],
  );
}

function lookAgainWhileSilent() {
  clearTimeout(silent);
  if (root.querySelector("[data-why=away]")) silent = setTimeout(refreshSoon, SILENT_MS);
}

// Readers hear of a change of status once.
function announce(before) {
  if (root.dataset.status === before) return;
  const box = document.getElementById("say");
  const words = root.querySelector("#job-why h2, #job-why strong")?.textContent || "";
  box.textContent = `${root.querySelector(".st.pill")?.textContent || ""}. ${words}`;
}

function told(message) {
  if (message.kind === "event") {
    if (message.seq <= position.seq) return; // told before
    position.seq = message.seq;
    refreshSoon();
  } else if (message.kind === "log") panel.told(message);
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

const keyOf = (row) => JSON.stringify([row.status, row.attempt, row.progress, row.message]);

// Whether the API knows of more than this page shows.
async function compare() {
  const now = await getJson(`/api/v1/jobs/${id}/`);
  return job !== null && keyOf(now) !== keyOf(job);
}

async function start() {
  const attempt = Number(root.dataset.attempt);
  const shown = Number(panel.root.dataset.attempt);
  try {
    await panel.open(shown);
    if (shown !== attempt) await endOf(attempt);
  } catch {
    /* the log is read again when the connection is back */
  }
  new Live({
    address: () =>
      `/ws/jobs/${id}/?after=${position.seq}&attempt=${panel.liveAt.attempt}&offset=${panel.liveAt.offset}`,
    onMessage: told,
    compare,
  });
}

// While an earlier attempt is shown, the socket begins at the end of the latest one: its lines are not wanted here.
async function endOf(attempt) {
  const { LogStore } = await import("./logstore.js");
  const store = new LogStore(id, attempt);
  panel.liveAt = { attempt, offset: await store.look() };
}

lookAgainWhileSilent();
readFiguresLater();
start();
