// The WebSocket of a page: kept open, resumed after a loss from the reached position, with a banner
// while it is lost.

import { statusOf, toSignIn } from "./api.js";
import { find } from "./dom.js";

const RETRY_MS = [300, 1000, 2000, 4000];
const BANNER_MS = 1500; // a shorter loss shows no banner
const QUIET_MS = 30_000; // an open socket without a message for this long is compared with the API
const SIGNED_OUT = 4401;
const FORBIDDEN = 4403;
const NOT_FOUND = 4404;

/** @typedef {"connecting" | "live" | "off" | "ended"} LiveState */

/** @type {Record<LiveState, string>} */
const LABELS = { live: "Live", off: "Reconnecting", connecting: "Connecting", ended: "Up to date" };

/**
 * One resumable WebSocket. Every socket of Mimir sends the known state as its first message.
 * @template {{ kind: string }} Message
 */
export class Live {
  /**
   * @param {object} options
   * @param {() => string} options.address Path and query of the socket, from the reached position.
   * @param {(message: Message) => void} options.onMessage
   * @param {() => Promise<boolean>} options.compare Resolves to true if the page is behind the API;
   *   rejects with ApiError if the API does not answer or refuses access.
   */
  constructor({ address, onMessage, compare }) {
    this.address = address;
    this.onMessage = onMessage;
    this.compare = compare;
    this.retries = 0;
    this.ended = false;
    this.opened = false;
    this.isLive = false;
    this.receivedAt = 0;
    /** @type {Date | null} */
    this.lostAt = null;
    /** @type {WebSocket | null} */
    this.socket = null;
    this.timer = 0;
    this.bannerTimer = 0;
    this.quietTimer = 0;
    document.querySelector("[data-lost-now]")?.addEventListener("click", () => this.reconnect());
    window.addEventListener("online", () => this.reconnect());
    window.addEventListener("offline", () => this.lost());
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) this.wake();
    });
    window.addEventListener("pagehide", () => this.socket?.close());
    window.addEventListener("pageshow", (event) => {
      if (event.persisted) this.reconnect();
    });
    this.show("connecting");
    this.open();
  }

  open() {
    clearTimeout(this.timer);
    if (this.ended) return;
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}${this.address()}`);
    this.socket = socket;
    this.opened = false;
    socket.onopen = () => {
      this.opened = true; // not live yet: the proxy also opens a socket to close it with a code
    };
    socket.onmessage = (event) => {
      if (socket !== this.socket) return;
      this.received();
      this.retries = 0;
      const message = /** @type {Message} */ (JSON.parse(event.data));
      if (message.kind === "end") this.finish();
      this.onMessage(message);
    };
    socket.onclose = (event) => {
      if (socket === this.socket) this.closed(event);
    };
  }

  received() {
    this.receivedAt = Date.now();
    if (this.lostAt !== null || !this.isLive) {
      this.lostAt = null;
      clearTimeout(this.bannerTimer);
      this.banner("");
      this.show("live");
    }
    this.checkLater();
  }

  checkLater() {
    clearTimeout(this.quietTimer);
    this.quietTimer = setTimeout(() => this.check(), QUIET_MS);
  }

  finish() {
    this.ended = true;
    clearTimeout(this.quietTimer);
    clearTimeout(this.bannerTimer);
    this.banner("");
    this.show("ended");
  }

  /** @param {CloseEvent} event */
  closed(event) {
    clearTimeout(this.quietTimer);
    if (this.ended) return;
    if (event.code === SIGNED_OUT) {
      toSignIn();
      return;
    }
    if (event.code === FORBIDDEN || event.code === NOT_FOUND) {
      this.refuse();
      return;
    }
    this.lost();
    if (!this.opened && this.retries > 0) this.findCause();
    this.retry();
  }

  /** Ask the API why no socket opens: signed out, no access any more, or no server. */
  async findCause() {
    try {
      await this.compare();
    } catch (error) {
      this.stopIfRefused(error);
    }
  }

  /**
   * Stop after a 401, 403 or 404. Returns true if it stopped.
   * @param {unknown} error
   */
  stopIfRefused(error) {
    const status = statusOf(error);
    if (status === 401) toSignIn();
    else if (status === 403 || status === 404) this.refuse();
    else return false;
    return true;
  }

  refuse() {
    this.ended = true;
    clearTimeout(this.timer);
    clearTimeout(this.bannerTimer);
    this.show("off");
    this.banner("Deleted, or you no longer have access. Ask a maintainer of the project.", false);
  }

  lost() {
    if (this.lostAt !== null || this.ended) return;
    const at = new Date();
    this.lostAt = at;
    this.show("off");
    this.bannerTimer = setTimeout(() => {
      if (this.lostAt !== at) return;
      const time = at.toLocaleTimeString("en-GB");
      this.banner(`Live updates lost. Reconnecting. This page shows the state of ${time}.`);
    }, BANNER_MS);
  }

  retry() {
    const wait = RETRY_MS[Math.min(this.retries, RETRY_MS.length - 1)];
    this.retries += 1;
    this.timer = setTimeout(() => this.open(), wait * (0.75 + Math.random() / 2));
  }

  reconnect() {
    if (this.ended) return;
    this.drop();
    this.retries = 0;
    this.open();
  }

  drop() {
    const socket = this.socket;
    this.socket = null;
    socket?.close();
  }

  wake() {
    if (this.ended) return;
    if (this.lostAt !== null) this.reconnect();
    else if (Date.now() - this.receivedAt > QUIET_MS / 2) this.check();
  }

  /** The socket is open and quiet: find out whether messages are missing. */
  async check() {
    clearTimeout(this.quietTimer);
    let behind = false;
    try {
      behind = await this.compare();
    } catch (error) {
      if (this.stopIfRefused(error)) return;
      behind = true;
      this.lost();
    }
    if (this.ended) return;
    if (behind) {
      this.drop();
      this.retry();
    } else this.checkLater();
  }

  /** @param {LiveState} state */
  show(state) {
    this.isLive = state === "live";
    for (const element of document.querySelectorAll("[data-live]")) {
      element.removeAttribute("hidden");
      element.setAttribute("data-live", state);
      element.classList.toggle("off", state === "off" || state === "connecting");
      find("span", HTMLElement, element).textContent = LABELS[state];
    }
    document.documentElement.dataset.lost = state === "off" ? "1" : "";
    window.dispatchEvent(new Event("live"));
  }

  /**
   * Show a text in the banner of the page, or hide it.
   * @param {string} text
   * @param {boolean} [withButton]
   */
  banner(text, withButton = true) {
    const banner = document.getElementById("lost");
    if (!banner) return;
    banner.hidden = !text;
    find("[data-lost-text]", HTMLElement, banner).textContent = text;
    find("[data-lost-now]", HTMLElement, banner).hidden = !withButton;
  }
}
