// Calls to the API on our own origin. The session's cookie is sent by the browser; the proxy turns it into a token.

export class ApiError extends Error {
  constructor(status, body) {
    super(body?.message || (status ? `The server answered ${status}.` : "There is no answer."));
    this.status = status;
    this.code = body?.code || "";
    this.detail = body?.detail && typeof body.detail === "object" ? body.detail : {};
  }
}

export const csrf = () => document.querySelector('meta[name="csrf-token"]')?.content || "";

const unlike = (field) =>
  field.type === "checkbox" || field.type === "radio"
    ? field.checked !== field.defaultChecked
    : field.value !== field.defaultValue;

// Whether somebody changed a field of the page that is not sent yet.
const typed = () =>
  [
    ...document.querySelectorAll(
      "form[method=post] input:not([type=hidden]), form[method=post] textarea",
    ),
  ].some(unlike);

// The session has ended: sign in in a dialog where typed text would be lost, else on the sign-in page, which leads back.
export async function toSignIn() {
  if (typed()) {
    const { signInAgain } = await import("./signedin.js");
    if (await signInAgain()) window.dispatchEvent(new Event("online"));
    return;
  }
  location.assign(`/signin/?next=${encodeURIComponent(location.pathname + location.search)}`);
}

export async function request(path, { method = "GET", json, headers = {}, signal } = {}) {
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
    if (error.name === "AbortError") throw error;
    throw new ApiError(0);
  }
  if (!response.ok) throw new ApiError(response.status, await response.json().catch(() => null));
  return response;
}

export async function getJson(path, options) {
  return (await request(path, options)).json();
}
export async function postJson(path, json, options = {}) {
  return (await request(path, { ...options, method: "POST", json })).json();
}
