// Keep unsent text when the session has ended: before a form is sent, and when a script gets 401, the
// session is checked and a dialog signs in again. The page and its fields stay as they are.

import { find, formParameters, input, setText } from "./dom.js";

const MESSAGE = "Your session has ended. Sign in to save; your text is kept.";
const CHECK_MS = 5000; // without an answer for this long the form is sent: the server keeps its fields
const UNCHECKED = ["/signin/", "/signout/"];

/** @type {Promise<boolean> | null} Answer of the open dialog: one dialog at a time. */
let dialogAnswer = null;

/**
 * Use a token in every form and script of the page.
 * @param {string} token
 */
function useToken(token) {
  document.querySelector('meta[name="csrf-token"]')?.setAttribute("content", token);
  for (const field of document.querySelectorAll("input[name=csrfmiddlewaretoken]")) {
    if (field instanceof HTMLInputElement) field.value = token;
  }
}

/**
 * @template {keyof HTMLElementTagNameMap} Name
 * @param {Name} name
 * @param {Record<string, string>} attributes
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[Name]}
 */
function create(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/**
 * @param {string} label
 * @param {string} id
 * @param {Record<string, string>} attributes
 */
function field(label, id, attributes) {
  return create(
    "div",
    { class: "f" },
    create("label", { for: id }, label),
    create("input", { id, required: "", ...attributes }),
  );
}

/**
 * Send the sign-in form. Resolves to the new session, or null after showing the error.
 * @param {HTMLFormElement} form
 * @param {HTMLElement} error
 * @returns {Promise<SessionState | null>}
 */
async function signIn(form, error) {
  const body = formParameters(form);
  const state = await sessionState();
  const response = await fetch("/signin/", {
    method: "POST",
    body,
    headers: { Accept: "application/json", "X-CSRFToken": state?.csrf || "" },
    credentials: "same-origin",
  });
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  showError(error, answer.message || `The server answered ${response.status}.`);
  input(form, "password").value = "";
  input(form, "password").focus();
  return null;
}

/**
 * @param {HTMLElement} error
 * @param {string} text
 */
function showError(error, text) {
  setText(error, text);
  error.hidden = false;
}

/**
 * Show the sign-in dialog. Resolves to the new session, or null if it was cancelled.
 * @returns {Promise<SessionState | null>}
 */
function signInDialog() {
  const name = document.body.dataset.user || "";
  const error = create("p", { class: "errm", role: "alert", id: "again-error", hidden: "" });
  const submit = create("button", { class: "btn pri", type: "submit" }, "Sign in");
  const cancel = create("button", { class: "btn", type: "button" }, "Cancel");
  const form = create(
    "form",
    { class: "form", method: "dialog" },
    field("User name", "again-username", {
      name: "username",
      autocomplete: "username",
      autocapitalize: "none",
      value: name,
    }),
    field("Password", "again-password", {
      name: "password",
      type: "password",
      autocomplete: "current-password",
      "aria-describedby": "again-error",
    }),
    error,
    create("div", { class: "row" }, cancel, submit),
  );
  const dialog = create(
    "dialog",
    { "aria-labelledby": "again-title", class: "again" },
    create("h2", { id: "again-title" }, "Sign in again"),
    create("p", {}, MESSAGE),
    form,
  );
  document.body.append(dialog);
  /** @type {SessionState | null} */
  let session = null;
  cancel.addEventListener("click", () => dialog.close());
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    submit.disabled = true;
    try {
      session = await signIn(form, error);
    } catch {
      showError(error, "The server does not answer. Try again in a moment.");
    }
    submit.disabled = false;
    if (session) dialog.close();
  });
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(session);
    });
    dialog.showModal();
    find(name ? "#again-password" : "#again-username", HTMLInputElement, form).focus();
  });
}

/**
 * Sign in again after a 401 without leaving the page. Resolves to true if the same user is signed
 * in, to false if nobody or another user is. The 401 may be older than a sign-in on this page or in
 * another tab: the session is looked up before the dialog opens.
 * @returns {Promise<boolean>}
 */
export async function signInAgain() {
  if (!dialogAnswer) {
    const state = await sessionState().catch(() => null);
    if (state?.username) return useSession(state);
  }
  return signInByDialog();
}

/** One answer for all callers: no form is sent as another user. */
async function signInByDialog() {
  dialogAnswer ||= signInDialog()
    .then((state) => (state ? useSession(state) : false))
    .finally(() => {
      dialogAnswer = null;
    });
  return dialogAnswer;
}

/** @param {SessionState} state */
function useSession(state) {
  useToken(state.csrf);
  return isSameUser(state.username);
}

/**
 * Return the session of this browser, null if the server refuses. Rejects without an answer.
 * @returns {Promise<SessionState | null>}
 */
async function sessionState() {
  const response = await fetch("/session/", {
    headers: { Accept: "application/json" },
    credentials: "same-origin",
    signal: AbortSignal.timeout(CHECK_MS),
  });
  if (response.status === 503) throw new Error("unavailable");
  return response.ok ? response.json() : null;
}

/** @param {string} username */
async function isSameUser(username) {
  const before = document.body.dataset.user;
  if (!before || before === username) return true;
  document.body.dataset.user = username;
  const { say } = await import("./app.js");
  say(
    `You are now signed in as ${username}, not as ${before}. Nothing was sent. Check the page, then send it again.`,
  );
  return false;
}

/** Return true if the form can be sent now. Another tab may have signed in: renew the token too. */
async function canSend() {
  if (dialogAnswer) return signInByDialog();
  let state;
  try {
    state = await sessionState();
  } catch (error) {
    if (error instanceof DOMException && error.name === "TimeoutError") return true;
    const { say } = await import("./app.js");
    say("The server does not answer. Nothing was sent; your text is kept. Try again in a moment.");
    return false;
  }
  if (!state) return true;
  return state.username ? useSession(state) : signInByDialog();
}

/** @type {WeakSet<HTMLFormElement>} */
const checked = new WeakSet();
/** @type {WeakSet<HTMLFormElement>} */
const checking = new WeakSet();

/**
 * @param {SubmitEvent} event
 * @param {HTMLFormElement} form
 */
async function checkThenSend(event, form) {
  const button = event.submitter;
  const action = button?.getAttribute("formaction") || form.getAttribute("action") || "";
  const path = new URL(action, location.href).pathname;
  const posts = form.getAttribute("method")?.toLowerCase() === "post";
  if (!posts || UNCHECKED.includes(path) || !document.body.dataset.user) return;
  if (checked.delete(form)) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  if (checking.has(form) || form.dataset.sent) return;
  checking.add(form);
  const allowed = await canSend();
  checking.delete(form);
  if (button) delete button.dataset.confirmed; // a confirmation counts once
  if (!allowed) return;
  checked.add(form);
  const sameButton = button instanceof HTMLButtonElement && button.form === form;
  form.requestSubmit(sameButton ? button : undefined); // the page may have replaced the button
  checked.delete(form); // an invalid form is not sent, and its next try is checked again
}

document.addEventListener(
  "submit",
  (event) => {
    if (event.target instanceof HTMLFormElement) checkThenSend(event, event.target);
  },
  true,
);
