// Calls to the API on our own origin. The browser sends the session cookie; the proxy turns it into
// a token.

/** A response with an error status, or no response (status 0). */
export class ApiError extends Error {
  /**
   * @param {number} status
   * @param {ApiErrorBody | null} [body]
   */
  constructor(status, body) {
    super(
      body?.message ||
        (status ? `The server answered ${status}.` : "The server does not answer. Try again."),
    );
    this.status = status;
    this.code = body?.code || "";
    /** @type {Record<string, unknown>} */
    this.detail = body?.detail && typeof body.detail === "object" ? { ...body.detail } : {};
  }
}

/**
 * Return the HTTP status of a failed request; 0 without a response or for another error.
 * @param {unknown} error
 * @returns {number}
 */
export const statusOf = (error) => (error instanceof ApiError ? error.status : 0);

/** @returns {string} */
export const csrf = () =>
  document.querySelector('meta[name="csrf-token"]')?.getAttribute("content") || "";

/** @param {Element} field */
const isChanged = (field) => {
  if (field instanceof HTMLTextAreaElement) return field.value !== field.defaultValue;
  if (!(field instanceof HTMLInputElement)) return false;
  return field.type === "checkbox" || field.type === "radio"
    ? field.checked !== field.defaultChecked
    : field.value !== field.defaultValue;
};

/** Return true if a field of the page has unsent changes. */
const hasUnsentText = () =>
  [
    ...document.querySelectorAll(
      "form[method=post] input:not([type=hidden]), form[method=post] textarea",
    ),
  ].some(isChanged);

/**
 * Ask for a new sign-in after the session ended: in a dialog if the page has unsent text, else on
 * the sign-in page, which leads back.
 */
export async function toSignIn() {
  if (hasUnsentText()) {
    const { signInAgain } = await import("./signedin.js");
    if (await signInAgain()) window.dispatchEvent(new Event("online"));
    return;
  }
  location.assign(`/signin/?next=${encodeURIComponent(location.pathname + location.search)}`);
}

/**
 * @typedef {object} RequestOptions
 * @property {string} [method]
 * @property {unknown} [json] The body.
 * @property {Record<string, string>} [headers]
 * @property {AbortSignal} [signal]
 */

/**
 * Send a request. Throws ApiError for an error status and without an answer, AbortError if the
 * signal aborted it.
 * @param {string} path
 * @param {RequestOptions} [options]
 * @returns {Promise<Response>}
 */
export async function request(path, { method = "GET", json, headers = {}, signal } = {}) {
  /** @type {Record<string, string>} */
  const sent = { Accept: "application/json", ...headers };
  if (method !== "GET") sent["X-CSRFToken"] = csrf();
  if (json !== undefined) sent["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(path, {
      method,
      headers: sent,
      body: json === undefined ? undefined : JSON.stringify(json),
      credentials: "same-origin",
      signal,
    });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError(0);
  }
  if (!response.ok) throw new ApiError(response.status, await response.json().catch(() => null));
  return response;
}

/**
 * @param {string} path
 * @param {RequestOptions} [options]
 */
export async function getJson(path, options) {
  return (await request(path, options)).json();
}
