// One socket of a page: kept open, resumed after a loss from where it was, and a banner while nothing comes.

import { toSignIn } from "./api.js";

const WAITS = [300, 1000, 2000, 4000]; // ms between tries
const BANNER_MS = 1500; // a loss shorter than this is not worth a word
const QUIET_MS = 30_000; // an open socket that says nothing for so long is compared with the API

export class Live {
  // `address()`: path and query of the socket, from the position reached. `compare()`: resolves to true when the page is behind,
  // rejects when the API does not answer or does not let us.
  constructor({ address, onMessage, compare }) {
    Object.assign(this, { address, onMessage, compare });
    this.tries = 0;
    this.ended = false;
    this.lostAt = null;
    document.querySelector("[data-lost-now]")?.addEventListener("click", () => this.now());
    window.addEventListener("online", () => this.now());
    window.addEventListener("offline", () => {
      this.lost();
    });
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) this.wake();
    });
    window.addEventListener("pagehide", () => this.socket?.close());
    window.addEventListener("pageshow", (event) => {
      if (event.persisted) this.now();
    });
    this.show("connecting");
    this.open();
  }

  open() {
    clearTimeout(this.timer);
    if (this.ended) return;
    const socket = new WebSocket(
      `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${this.address()}`,
    );
    this.socket = socket;
    this.opened = false;
    socket.onopen = () => {
      this.opened = true;
    }; // says nothing yet: the proxy opens it also to close it with a code
    socket.onmessage = (event) => {
      if (socket !== this.socket) return;
      this.heard(); // the first message comes at once: every socket begins with what is known
      this.tries = 0;
      const message = JSON.parse(event.data);
      if (message.kind === "end") this.finish();
      this.onMessage(message);
    };
    socket.onclose = (event) => {
      if (socket === this.socket) this.closed(event);
    };
  }

  heard() {
    this.heardAt = Date.now();
    if (this.lostAt !== null || !this.shownUp) {
      this.lostAt = null;
      clearTimeout(this.bannerTimer);
      this.banner("");
      this.show("live");
    }
    clearTimeout(this.quiet);
    this.quiet = setTimeout(() => this.check(), QUIET_MS);
  }

  finish() {
    this.ended = true;
    clearTimeout(this.quiet);
    clearTimeout(this.bannerTimer);
    this.banner("");
    this.show("ended");
  }

  closed(event) {
    clearTimeout(this.quiet);
    if (this.ended) return;
    if (event.code === 4401) {
      toSignIn();
      return;
    }
    if (event.code === 4403 || event.code === 4404) {
      this.refuse();
      return;
    }
    this.lost();
    if (!this.opened && this.tries > 0) this.ask();
    this.again();
  }

  // Why no socket opens: signed out, no right any more, or simply nobody there.
  async ask() {
    try {
      await this.compare();
    } catch (error) {
      if (error.status === 401) toSignIn();
      else if (error.status === 403 || error.status === 404) this.refuse();
    }
  }

  refuse() {
    this.ended = true;
    clearTimeout(this.timer);
    clearTimeout(this.bannerTimer);
    this.show("off");
    this.banner(
      "You may not see this any more, or it is gone. Ask a maintainer of the project.",
      false,
    );
  }

  lost() {
    if (this.lostAt !== null || this.ended) return;
    this.lostAt = new Date();
    this.show("off");
    this.bannerTimer = setTimeout(() => {
      const at = this.lostAt?.toLocaleTimeString("en-GB");
      if (at)
        this.banner(
          `Live updates are lost since ${at}, trying again. What you see is from that moment.`,
        );
    }, BANNER_MS);
  }

  again() {
    const wait = WAITS[Math.min(this.tries, WAITS.length - 1)] * (0.75 + Math.random() / 2);
    this.tries += 1;
    this.timer = setTimeout(() => this.open(), wait);
  }

  now() {
    if (this.ended) return;
    this.drop();
    this.tries = 0;
    this.open();
  }

  drop() {
    const socket = this.socket;
    this.socket = null;
    socket?.close();
  }

  wake() {
    if (this.ended) return;
    if (this.lostAt !== null) this.now();
    else if (Date.now() - (this.heardAt || 0) > QUIET_MS / 2) this.check();
  }

  // The socket is open and says nothing: nothing happens, or nothing arrives.
  async check() {
    clearTimeout(this.quiet);
    let behind = false;
    try {
      behind = await this.compare();
    } catch (error) {
      if (error.status === 401) {
        toSignIn();
        return;
      }
      if (error.status === 403 || error.status === 404) {
        this.refuse();
        return;
      }
      behind = true;
      this.lost();
    }
    if (this.ended) return;
    if (behind) {
      this.drop();
      this.again();
    } else this.quiet = setTimeout(() => this.check(), QUIET_MS);
  }

  show(state) {
    this.shownUp = state === "live";
    const words = {
      live: "Live",
      off: "Reconnecting",
      connecting: "Connecting",
      ended: "Up to date",
    };
    for (const element of document.querySelectorAll("[data-live]")) {
      element.hidden = false;
      element.dataset.live = state;
      element.classList.toggle("off", state === "off" || state === "connecting");
      element.querySelector("span").textContent = words[state];
    }
    document.documentElement.dataset.lost = state === "off" ? "1" : "";
    window.dispatchEvent(new Event("live"));
  }

  banner(text, withButton = true) {
    const banner = document.getElementById("lost");
    if (!banner) return;
    banner.hidden = !text;
    banner.querySelector("[data-lost-text]").textContent = text;
    banner.querySelector("[data-lost-now]").hidden = !withButton;
  }
}
