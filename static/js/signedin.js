// Typed work survives an ended session: before a form is sent, and when a script gets 401, the session is checked and a dialog signs in again.
// The page and what is typed in it stay as they are.

const MESSAGE = "Your session has ended. Sign in to save; your text is kept.";
const CHECK_MS = 5000; // without an answer for so long the form is sent anyway: the server keeps its fields too
const OWN = ["/signin/", "/signout/"];

let asking = null; // the open dialog's answer: one dialog at a time

// Every form and script of the page uses this token from now on.
function useToken(token) {
  document.querySelector('meta[name="csrf-token"]')?.setAttribute("content", token);
  for (const input of document.querySelectorAll("input[name=csrfmiddlewaretoken]"))
    input.value = token;
}

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function field(label, id, attributes) {
  return element(
    "div",
    { class: "f" },
    element("label", { for: id }, label),
    element("input", { id, required: "", ...attributes }),
  );
}

async function signIn(form, told) {
  const body = new URLSearchParams(new FormData(form));
  const state = await sessionState();
  const headers = { Accept: "application/json", "X-CSRFToken": state?.csrf || "" };
  const response = await fetch("/signin/", {
    method: "POST",
    body,
    headers,
    credentials: "same-origin",
  });
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  told.textContent = answer.message || `The server answered ${response.status}.`;
  told.hidden = false;
  form.elements.password.value = "";
  form.elements.password.focus();
  return null;
}

function ask() {
  const name = document.body.dataset.user || "";
  const told = element("p", { class: "errm", role: "alert", id: "again-error", hidden: "" });
  const submit = element("button", { class: "btn pri", type: "submit" }, "Sign in");
  const cancel = element("button", { class: "btn", type: "button" }, "Cancel");
  const form = element(
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
    told,
    element("div", { class: "row" }, cancel, submit),
  );
  const dialog = element(
    "dialog",
    { "aria-labelledby": "again-title", class: "again" },
    element("h2", { id: "again-title" }, "Sign in again"),
    element("p", {}, MESSAGE),
    form,
  );
  document.body.append(dialog);
  let result = null;
  cancel.addEventListener("click", () => dialog.close());
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    submit.disabled = true;
    try {
      result = await signIn(form, told);
    } catch {
      told.textContent = "There is no answer. Try again in a moment.";
      told.hidden = false;
    }
    submit.disabled = false;
    if (result) dialog.close();
  });
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(result);
    });
    dialog.showModal();
    form.elements[name ? "password" : "username"].focus();
  });
}

// After a 401: sign in again without leaving the page. Resolves to true when the same user is signed in; false when not, or when it is another
// one. The 401 may be older than a sign-in on this page or in another tab, so the session is looked up before anybody is asked.
export async function signInAgain() {
  if (!asking) {
    const state = await sessionState().catch(() => null);
    if (state?.username) return taken(state);
  }
  return signInByDialog();
}

async function signInByDialog() {
  asking ||= ask()
    .then((state) => (state ? taken(state) : false))
    .finally(() => {
      asking = null;
    });
  return asking; // one answer for all callers, so no form is sent as another user
}

function taken(state) {
  useToken(state.csrf);
  return sameUser(state.username);
}

// {username, csrf} of this browser's session, null when the server refuses to say. Rejects when it does not answer.
async function sessionState() {
  const signal = AbortSignal.timeout(CHECK_MS);
  const response = await fetch("/session/", {
    headers: { Accept: "application/json" },
    credentials: "same-origin",
    signal,
  });
  if (response.status === 503) throw new Error("unavailable");
  return response.ok ? response.json() : null;
}

async function sameUser(username) {
  const before = document.body.dataset.user;
  if (!before || before === username) return true;
  document.body.dataset.user = username;
  const { say } = await import("./app.js");
  say(
    `You are signed in as ${username} now, not as ${before}. Nothing was sent. Check the page, then send it again.`,
  );
  return false;
}

// Whether the form may be sent now. Another tab may have signed in: the token is renewed too.
async function mayPost() {
  if (asking) return signInByDialog();
  let state;
  try {
    state = await sessionState();
  } catch (error) {
    if (error.name === "TimeoutError") return true;
    await tellNothingSent();
    return false;
  }
  if (!state) return true;
  return state.username ? taken(state) : signInByDialog();
}

async function tellNothingSent() {
  const { say } = await import("./app.js");
  say(
    "The server does not answer. Nothing was sent; your text is kept on this page. Try again in a moment.",
  );
}

const checked = new WeakSet(),
  checking = new WeakSet();

document.addEventListener(
  "submit",
  async (event) => {
    const form = event.target;
    const button = event.submitter;
    const address = new URL(
      button?.getAttribute("formaction") || form.getAttribute("action") || "",
      location.href,
    );
    if (
      form.getAttribute("method")?.toLowerCase() !== "post" ||
      OWN.includes(address.pathname) ||
      !document.body.dataset.user
    )
      return;
    if (checked.delete(form)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (checking.has(form) || form.dataset.sent) return;
    checking.add(form);
    const may = await mayPost();
    checking.delete(form);
    if (button) delete button.dataset.asked; // the confirmation was for this try only
    if (!may) return;
    checked.add(form);
    form.requestSubmit(button?.form === form ? button : undefined); // the page may have replaced the button meanwhile
    checked.delete(form); // a form that the browser finds invalid is not sent, and its next try is checked again
  },
  true,
);
