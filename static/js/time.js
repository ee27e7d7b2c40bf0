// Times: relative ones tick, exact ones are turned to the reader's time zone, durations of what runs go on.
// Words as in mimir/frontend/formatting.py.

const DAY = 86400;

export function span(seconds) {
  if (seconds < 0.9995) return `${Math.round(Math.max(0, seconds) * 1000)} ms`;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
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

// A running clock shows whole seconds: tenths that race say nothing.
export const running = (seconds) =>
  seconds < 60 ? `${Math.floor(Math.max(0, seconds))} s` : span(Math.floor(seconds));

export function about(seconds) {
  if (seconds < 60) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${Math.round(seconds / 3600)} h`;
}

function distance(seconds) {
  if (seconds < 1) return "now";
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < DAY) return `${Math.floor(seconds / 3600)} h`;
  const days = Math.floor(seconds / DAY);
  return days === 1 ? "1 day" : `${days} days`;
}

export function ago(at, now = Date.now()) {
  const gone = (now - at.getTime()) / 1000;
  if (Math.abs(gone) >= 7 * DAY) {
    const other = at.getFullYear() !== new Date(now).getFullYear();
    return at.toLocaleDateString("en-GB", {
      day: "numeric",
      month: "short",
      ...(other ? { year: "numeric" } : {}),
    });
  }
  const words = distance(Math.abs(gone));
  if (words === "now") return words;
  return gone > 0 ? `${words} ago` : `in ${words}`;
}

export function clock(at) {
  const two = (value, width = 2) => String(value).padStart(width, "0");
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${two(at.getMilliseconds(), 3)}`;
}

const ZONE = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "long" });
export const exact = (at) => ZONE.format(at);

const put = (element, text) => {
  if (element.textContent !== text) element.textContent = text;
};

// Bring every time below `root` up to date.
export function tick(root = document) {
  const now = Date.now();
  for (const element of root.querySelectorAll("time[datetime]")) {
    const at = new Date(element.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    const title = exact(at);
    if (element.title !== title) element.title = title;
    if ("rel" in element.dataset) put(element, ago(at, now));
    if ("clock" in element.dataset)
      put(element, element.dataset.clock === "seconds" ? clock(at).slice(0, 8) : clock(at));
  }
  for (const element of root.querySelectorAll("[data-since]")) {
    const at = new Date(element.dataset.since).getTime();
    if (!Number.isNaN(at))
      put(
        element,
        (element.dataset.before || "") + running((now - at) / 1000) + (element.dataset.after || ""),
      );
  }
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
