// Times: relative times tick, exact times are shown in the reader's time zone, durations of running
// jobs count up. The formats are those of mimir/frontend/formatting.py.

const DAY = 86400;
const WEEK = 7 * DAY;

/**
 * Format a duration in seconds.
 * @param {number} seconds
 */
export function span(seconds) {
  if (seconds < 0.9995) return `${Math.round(Math.max(0, seconds) * 1000)} ms`;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  /** @param {number} value */
  const two = (value) => String(value).padStart(2, "0");
  if (whole < 3600)
    return whole % 60 ? `${Math.floor(whole / 60)} min ${two(whole % 60)} s` : `${whole / 60} min`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 2880)
    return minutes % 60
      ? `${Math.floor(minutes / 60)} h ${two(minutes % 60)} min`
      : `${minutes / 60} h`;
  return `${Math.floor(minutes / 1440)} days`;
}

/**
 * Format a running duration: whole seconds, because racing tenths carry no information.
 * @param {number} seconds
 */
export const running = (seconds) =>
  seconds < 60 ? `${Math.floor(Math.max(0, seconds))} s` : span(Math.floor(seconds));

/**
 * Format an estimated duration.
 * @param {number} seconds
 */
export function about(seconds) {
  if (seconds < 60) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${Math.round(seconds / 3600)} h`;
}

/** @param {number} seconds */
function distance(seconds) {
  if (seconds < 1) return "now";
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < DAY) return `${Math.floor(seconds / 3600)} h`;
  const days = Math.floor(seconds / DAY);
  return days === 1 ? "1 day" : `${days} days`;
}

/**
 * Format a time relative to now; a date if it is a week or more away.
 * @param {Date} at
 * @param {number} [now] Milliseconds since the epoch.
 */
export function ago(at, now = Date.now()) {
  const seconds = (now - at.getTime()) / 1000;
  if (Math.abs(seconds) >= WEEK) {
    const otherYear = at.getFullYear() !== new Date(now).getFullYear();
    return at.toLocaleDateString("en-GB", {
      day: "numeric",
      month: "short",
      ...(otherYear ? { year: "numeric" } : {}),
    });
  }
  const text = distance(Math.abs(seconds));
  if (text === "now") return text;
  return seconds > 0 ? `${text} ago` : `in ${text}`;
}

/**
 * Format the local time of day with milliseconds.
 * @param {Date} at
 */
export function clock(at) {
  /**
   * @param {number} value
   * @param {number} [width]
   */
  const two = (value, width = 2) => String(value).padStart(width, "0");
  const seconds = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  return `${seconds}.${two(at.getMilliseconds(), 3)}`;
}

const ZONE = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "long" });

/** @param {Date} at */
export const exact = (at) => ZONE.format(at);

/**
 * @param {Element} element
 * @param {string} text
 */
const put = (element, text) => {
  if (element.textContent !== text) element.textContent = text;
};

/**
 * Update every time below `root`.
 * @param {ParentNode} [root]
 */
export function tick(root = document) {
  const now = Date.now();
  for (const element of root.querySelectorAll("time[datetime]")) {
    if (element instanceof HTMLTimeElement) tickTime(element, now);
  }
  for (const element of root.querySelectorAll("[data-since]")) {
    const at = new Date(element.getAttribute("data-since") || "").getTime();
    if (Number.isNaN(at)) continue;
    const before = element.getAttribute("data-before") || "";
    const after = element.getAttribute("data-after") || "";
    put(element, before + running((now - at) / 1000) + after);
  }
}

/**
 * @param {HTMLTimeElement} element
 * @param {number} now
 */
function tickTime(element, now) {
  const at = new Date(element.dateTime);
  if (Number.isNaN(at.getTime())) return;
  const title = exact(at);
  if (element.title !== title) element.title = title;
  if ("rel" in element.dataset) put(element, ago(at, now));
  if (element.dataset.clock === "seconds") put(element, clock(at).slice(0, 8));
  else if ("clock" in element.dataset) put(element, clock(at));
}

export function keepTicking() {
  tick();
  setInterval(() => {
    if (!document.hidden) tick();
  }, 1000);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) tick();
  });
}
