// What stands around the lines of a log: its buttons, its keys, the search, the foot, links to lines.

import { copy, say } from "./app.js";
import { LogView } from "./log.js";
import { LogSearch } from "./logsearch.js";
import { size } from "./logtext.js";

const stored = (name, fallback) => {
  try {
    return localStorage.getItem(`mimir-log-${name}`) ?? fallback;
  } catch {
    return fallback;
  }
};
const store = (name, value) => {
  try {
    localStorage.setItem(`mimir-log-${name}`, value);
  } catch {
    /* storage may be off */
  }
};

const SHORT_LINES = 10;

export class LogPanel {
  constructor(root) {
    this.root = root;
    this.job = root.dataset.job;
    this.view = new LogView(root, this.job);
    this.search = null;
    this.errors = null;
    const part = (name) => root.querySelector(`[data-log-${name}]`);
    this.part = Object.fromEntries(
      [
        "lines",
        "find",
        "hits",
        "count",
        "prev",
        "next",
        "times",
        "wrap",
        "follow",
        "error",
        "new",
        "empty",
        "lines-count",
        "size",
        "state",
      ].map((name) => [name, part(name)]),
    );
    this.input = this.part.find.querySelector("input");
    this.liveAt = { attempt: Number(root.dataset.latest), offset: 0 };
    this.bind();
    this.view.addEventListener("change", () => this.foot());
  }

  get ended() {
    return ["succeeded", "failed", "cancelled"].includes(this.root.dataset.status);
  }

  // Open where the address says, else at the first error of a failed job, else at the end of what is live, else at the top.
  async open(attempt) {
    this.view.reset(attempt);
    this.stopSearch();
    this.closed = false;
    const latest = attempt === Number(this.root.dataset.latest);
    this.view.live = latest && !this.ended;
    const line = Number(/^#L(\d{1,12})$/.exec(location.hash)?.[1] || 0);
    const asked = new URLSearchParams(location.search);
    if (line) await this.goToLine(line, asked.get("at"));
    else if (this.view.live) {
      await this.view.openEnd();
      this.view.setFollow(true);
    } else if (this.root.dataset.status === "failed" && latest && (await this.firstError())) {
      /* shown */
    } else await this.view.openAt(0, "top");
    if (latest && this.liveAt.offset < this.view.end)
      this.liveAt = { attempt, offset: this.view.end };
    this.foot();
    if (this.root.dataset.status === "failed" && !this.errors) this.firstError(false);
  }

  async goToLine(number, at) {
    let offset = at && /^\d{1,15}$/.test(at) ? Number(at) : null;
    if (offset === null) offset = await this.view.store.offsetOf(number);
    this.view.setFollow(false);
    await this.view.openAt(offset, "center", offset);
  }

  bind() {
    const { part, view } = this;
    this.setTimes(stored("times", "1") === "1");
    this.setWrap(stored("wrap", "1") === "1");
    part.times.addEventListener("click", () =>
      this.setTimes(part.times.getAttribute("aria-pressed") !== "true"),
    );
    part.wrap.addEventListener("click", () =>
      this.setWrap(part.wrap.getAttribute("aria-pressed") !== "true"),
    );
    part.follow.addEventListener("click", () => this.toggleFollow());
    part.error.addEventListener("click", (event) => this.stepError(event.shiftKey ? -1 : 1));
    part.new.addEventListener("click", () => this.toEnd());
    part.find.addEventListener("submit", (event) => {
      event.preventDefault();
      this.find(1);
    });
    part.prev.addEventListener("click", () => this.step(-1));
    part.next.addEventListener("click", () => this.step(1));
    this.input.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && event.shiftKey) {
        event.preventDefault();
        this.find(-1);
      }
      if (event.key === "Escape") {
        this.input.value = "";
        this.stopSearch();
        part.lines.focus();
      }
    });
    this.input.addEventListener("input", () => {
      if (!this.input.value) this.stopSearch();
    });
    part.lines.addEventListener("keydown", (event) => this.key(event));
    part.lines.addEventListener("click", (event) => this.clicked(event));
    document.addEventListener("selectionchange", () => {
      const selection = document.getSelection();
      if (
        view.follow &&
        selection &&
        !selection.isCollapsed &&
        part.lines.contains(selection.anchorNode)
      )
        view.setFollow(false);
    });
    window.addEventListener("live", () => this.foot());
    window.addEventListener("hashchange", () => {
      const line = Number(/^#L(\d{1,12})$/.exec(location.hash)?.[1] || 0);
      if (line && this.linked !== location.hash) this.goToLine(line, null);
    });
  }

  setTimes(wanted) {
    this.part.times.setAttribute("aria-pressed", String(wanted));
    this.part.lines.classList.toggle("notimes", !wanted);
    store("times", wanted ? "1" : "0");
  }

  setWrap(wanted) {
    this.part.wrap.setAttribute("aria-pressed", String(wanted));
    this.part.lines.classList.toggle("nowrap", !wanted);
    store("wrap", wanted ? "1" : "0");
    if (this.view.follow) this.view.toBottom();
    else this.view.settle();
  }

  toggleFollow() {
    if (this.view.follow) this.view.setFollow(false);
    else this.toEnd();
  }

  async toEnd() {
    if (this.waitingAttempt) {
      await this.open(this.waitingAttempt);
      return;
    }
    if (this.view.live) this.view.setFollow(true);
    else await this.view.openEnd();
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const act = {
      f: () => this.toggleFollow(),
      e: () => this.stepError(1),
      E: () => this.stepError(-1),
      w: () => this.part.wrap.click(),
      t: () => this.part.times.click(),
      n: () => this.step(1),
      N: () => this.step(-1),
      g: () => {
        this.view.setFollow(false);
        this.view.openAt(0, "top");
      },
      G: () => this.toEnd(),
      "/": () => this.input.focus(),
      Home: () => {
        this.view.setFollow(false);
        this.view.openAt(0, "top");
      },
      End: () => this.toEnd(),
    }[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }

  async clicked(event) {
    const link = event.target instanceof Element ? event.target.closest(".ln > a") : null;
    if (!link) return;
    event.preventDefault();
    const { line, offset } = link.parentElement.dataset;
    const address = new URL(location.href);
    address.searchParams.set("attempt", this.view.attempt);
    address.searchParams.set("at", offset);
    address.hash = `L${line}`;
    this.linked = address.hash;
    history.replaceState(history.state, "", address);
    this.view.setFollow(false);
    this.view.markAt(Number(offset));
    if (await copy(address.href)) say(`Link to line ${line} copied`);
  }

  // ---- search ----

  stopSearch() {
    this.search?.stop();
    this.search = null;
    this.part.hits.hidden = true;
    if (this.view.query) {
      this.view.query = "";
      this.view.refresh();
    }
  }

  async find(by) {
    const text = this.input.value;
    if (!text) return;
    if (this.search?.text === text) {
      await this.step(by);
      return;
    }
    this.stopSearch();
    const search = new LogSearch(this.job, this.view.attempt, { q: text });
    search.text = text;
    this.search = search;
    this.view.query = text.toLowerCase();
    this.view.setFollow(false);
    const from = this.view.rows[this.view.first]?.offset ?? 0;
    this.part.hits.hidden = false;
    let shown = false;
    try {
      await search.run(() => {
        if (
          !shown &&
          search.matches.length &&
          (search.done || search.matches.some((match) => match.offset >= from))
        ) {
          shown = true;
          search.begin(from);
          this.showMatch();
        }
        this.part.count.textContent = search.words;
      });
      if (!shown && search.begin(0)) this.showMatch();
      if (!search.matches.length) this.view.refresh();
    } catch (error) {
      if (error.name !== "AbortError")
        this.part.count.textContent = error.detail?.q || error.message;
      return;
    }
    this.part.count.textContent = search.words;
  }

  async step(by) {
    if (!this.search?.step(by)) return;
    this.part.count.textContent = this.search.words;
    await this.showMatch();
  }

  async showMatch() {
    const match = this.search?.current;
    if (!match) return;
    this.view.setFollow(false);
    await this.view.openAt(match.offset, "center", match.offset);
    this.view.refresh();
  }

  // The first line that looks like an error; `show`: go there. Resolves to whether there is one.
  async firstError(show = true) {
    const errors = new LogSearch(this.job, this.view.attempt, { errors: "1" });
    this.errors = errors;
    try {
      await errors.run(() => {
        this.part.error.hidden = !errors.matches.length;
      });
    } catch {
      return false;
    }
    if (!errors.matches.length || !show) return errors.matches.length > 0;
    await this.stepError(1);
    return true;
  }

  async stepError(by) {
    if (!this.errors) {
      await this.firstError(true);
      return;
    }
    const match = this.errors.step(by);
    if (!match) return;
    this.view.setFollow(false);
    await this.view.openAt(match.offset, "center", match.offset);
  }

  // ---- live ----

  // Bytes of a log came over the socket; those that were told before are passed over.
  told({ attempt, offset, end, text }) {
    if (
      attempt < this.liveAt.attempt ||
      (attempt === this.liveAt.attempt && end <= this.liveAt.offset)
    )
      return;
    const newer = attempt > this.liveAt.attempt;
    this.liveAt = { attempt, offset: end };
    if (attempt === this.view.attempt) {
      this.view.grow(offset, end, text);
    } else if (newer && (this.view.follow || !this.view.end)) {
      this.root.dataset.latest = String(attempt);
      this.open(attempt);
    } else if (attempt > this.view.attempt) {
      this.waitingAttempt = attempt;
      this.foot();
    }
  }

  // The job changed: an attempt may have begun, or the last one ended.
  jobChanged(job) {
    this.root.dataset.status = job.status;
    this.root.dataset.latest = String(job.attempt);
    if (this.ended && this.view.live && job.attempt === this.view.attempt) this.finishSoon();
    this.foot();
  }

  async finishSoon() {
    await this.view.store.look().catch(() => {});
    if (this.view.follow) await this.view.showEnd();
    if (this.view.store.complete || this.closed) {
      this.view.live = false;
      this.view.setFollow(false);
    }
    this.foot();
  }

  // Nothing more comes.
  finish() {
    this.closed = true;
    this.finishSoon();
  }

  // ---- the foot ----

  foot() {
    const { view, part } = this;
    part.follow.setAttribute("aria-pressed", String(view.follow));
    part.follow.hidden = !view.live;
    part.empty.hidden = view.end > 0;
    part.lines.hidden = !view.end;
    part.lines.classList.toggle("short", !view.live && view.lineCount <= SHORT_LINES); // no empty box below a few lines
    part.state.parentElement.parentElement.hidden = !view.end;
    if (!view.end)
      part.empty.textContent =
        this.ended || !view.live ? "This attempt wrote nothing." : this.root.dataset.empty;
    const lines = view.lineCount;
    part["lines-count"].textContent =
      view.end && lines ? `${lines.toLocaleString("en")} ${lines === 1 ? "line" : "lines"}` : "";
    part.size.textContent = view.end ? size(view.end) : "";
    part.state.textContent = this.stateWords();
    const pill = this.waitingAttempt
      ? `Attempt ${this.waitingAttempt} writes now`
      : view.fresh && view.live && !view.follow
        ? `${view.fresh.toLocaleString("en")} new ${view.fresh === 1 ? "line" : "lines"}`
        : "";
    part.new.hidden = !pill;
    part.new.querySelector("span").textContent = pill;
  }

  stateWords() {
    const { view } = this;
    if (view.store.complete) return "complete";
    if (view.live && document.documentElement.dataset.lost) return "waits for the connection";
    if (view.live) return view.follow ? "live, follows the end" : "live";
    if (!view.end) return "";
    return this.closed || this.ended || view.attempt < Number(this.root.dataset.latest)
      ? "ends early: its last lines may be missing"
      : "";
  }
}
