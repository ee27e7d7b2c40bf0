// The form that runs a job: the same request as curl, and what the API says to it before it is sent (a dry run).

import { postJson } from "./api.js";
import { span } from "./time.js";

const form = document.querySelector("[data-submit]");
const number = (text) => (/^\d{1,10}$/.test(text) ? Number(text) : text);

function labelsOf(text) {
  const labels = {};
  for (const line of text.split("\n")) {
    const [key, ...rest] = line.trim().split("=");
    if (key.trim()) labels[key.trim()] = rest.join("=").trim();
  }
  return labels;
}

// As mimir/frontend/pages/submit.py builds it.
function body() {
  const value = (name) => form.elements[name].value.trim();
  const made = { type: "pipeline_execution", parameters: { pipeline: value("pipeline") } };
  if (value("version")) made.parameters.version = number(value("version"));
  if (value("name")) made.name = value("name");
  const labels = labelsOf(form.elements.labels.value);
  if (Object.keys(labels).length) made.labels = labels;
  if (value("priority")) made.priority = value("priority");
  const resources = {};
  for (const name of ["cpu", "memory"]) if (value(name)) resources[name] = value(name);
  if (value("gpu")) resources.gpu = number(value("gpu"));
  if (Object.keys(resources).length) made.resources = resources;
  if (value("timeout")) made.timeout_seconds = number(value("timeout"));
  if (value("attempts")) made.max_attempts = number(value("attempts"));
  return made;
}

function curl(request) {
  const place = document.getElementById("curl");
  const quoted = JSON.stringify(request, null, 2).replaceAll("'", "'\\''");
  place.textContent = `curl -X POST ${place.dataset.origin}${form.dataset.submit} \\\n  -H "Authorization: Bearer $TOKEN" \\\n  -H "Idempotency-Key: $(uuidgen)" \\\n  -H "Content-Type: application/json" \\\n  -d '${quoted}'`;
}

function facts(rows) {
  const list = document.querySelector("[data-dry-facts]");
  list.replaceChildren(...rows.flatMap(([name, text]) => {
    const term = document.createElement("dt");
    term.textContent = name;
    const value = document.createElement("dd");
    value.textContent = text;
    return [term, value];
  }));
}

// 4Gi is read as 4 GiB; what is no such quantity stays as it is.
const memory = (quantity) => quantity.replace(/^([\d.]+)([KMGT])i$/, "$1 $2iB");
const range = (low, high) => (low === high ? high : `${low} to ${high}`);

function told(answer) {
  const { resources } = answer;
  const inputs = answer.inputs.filter((input) => input.kind === "dataset").map((input) => `${input.dataset} v${input.version}`);
  const pipeline = answer.inputs.find((input) => input.kind === "pipeline");
  facts([
    ...(pipeline ? [["Runs", `${pipeline.pipeline} v${pipeline.version}`]] : []),
    ["Reads", inputs.join(", ") || "no dataset"],
    ["Room", `${range(resources.requests.cpu, resources.cpu)} CPU, ${range(memory(resources.requests.memory), memory(resources.memory))}`],
    ["Time limit", `${span(answer.timeout_seconds)} for each attempt`],
    ["Attempts", `at most ${answer.max_attempts}`],
    ["Priority", answer.priority],
  ]);
}

let asked = 0;

async function dryRun() {
  const card = document.querySelector("[data-dry]");
  const error = document.querySelector("[data-dry-error]");
  const request = body();
  if (!request.parameters.pipeline || form.querySelector("fieldset").disabled) { card.hidden = true; return; }
  const turn = (asked += 1);
  try {
    const answer = await postJson(`${form.dataset.submit}?dry_run=1`, request);
    if (turn !== asked) return;
    told(answer);
    error.hidden = true;
  } catch (problem) {
    if (turn !== asked || !problem.status) return;
    facts([]);
    error.hidden = false;
    error.textContent = Object.entries(problem.detail).filter(([, text]) => typeof text === "string").map(([path, text]) => `${path}: ${text}`).join("; ") || problem.message;
  }
  card.hidden = false;
}

function versionHint() {
  const latest = form.elements.pipeline.selectedOptions[0]?.dataset.latest;
  form.elements.version.placeholder = latest ? `the newest, now ${latest}` : "the newest";
}

if (form) {
  form.addEventListener("input", () => curl(body()));
  form.addEventListener("change", () => { versionHint(); dryRun(); });
  form.addEventListener("keydown", (event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit(); });
  versionHint();
  curl(body());
  dryRun();
}
