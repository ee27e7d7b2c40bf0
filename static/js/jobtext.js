// Status texts of a job, as in mimir/frontend/pages/jobs/present.py.

import { about, span } from "./time.js";

/** @type {Record<JobStatus, string>} */
const LABELS = {
  queued: "Waiting",
  launching: "Starting",
  running: "Running",
  cancelling: "Cancelling",
  succeeded: "Succeeded",
  failed: "Failed",
  cancelled: "Cancelled",
};

/** @param {JobSummary} job */
export function statusLabel(job) {
  const { status, attempt, max_attempts: most } = job;
  if (status === "queued" && attempt > 1)
    return `Retrying, attempt ${attempt}${attempt <= most ? ` of ${most}` : ""}`;
  if (status === "succeeded" && attempt > 1) return `Succeeded on attempt ${attempt}`;
  return LABELS[status] || status;
}

/** @param {JobSummary} job */
export const statusShape = (job) =>
  job.status === "queued" && job.attempt > 1 ? "retrying" : job.status;

/**
 * One sentence: what the job does or waits for, why it failed, or what it wrote.
 * @param {JobSummary} job
 * @returns {string}
 */
export function statusReason(job) {
  if (job.away) return job.away.detail;
  if (job.status === "queued") return waitingReason(job.waiting) || job.message;
  if (job.status === "launching") return job.message || "The worker is starting.";
  if (job.status === "running")
    return job.diagnosis?.summary || job.progress?.message || job.message;
  if (job.status === "cancelling") return "Stopping. It is killed if it does not stop soon.";
  if (job.status === "failed") return job.diagnosis?.summary || job.message || job.reason;
  if (job.status === "succeeded")
    return resultText(job) || job.message || "Done. Nothing was written to the project.";
  return `${cancelledText(job)}. Nothing was written.`;
}

/** @param {JobSummary} job */
function cancelledText(job) {
  const text = (job.message || "").replace(/\.$/, "") || "Cancelled";
  if (!job.started_at || !job.finished_at) return `${text} before it started`;
  const seconds = (Date.parse(job.finished_at) - Date.parse(job.started_at)) / 1000;
  return `${text} after ${span(seconds)}`;
}

/** @param {JobSummary["waiting"]} waiting */
function waitingReason(waiting) {
  if (!waiting) return "";
  const { detail = "", estimate_seconds: seconds } = waiting;
  if (waiting.blocked_by === "back_off" || !detail || !seconds || seconds < 1) return detail;
  return `${detail} In about ${about(seconds)}.`;
}

/** @param {JobSummary} job */
function resultText(job) {
  const result = job.result || {};
  if ("model" in result && "version" in result)
    return `Created model ${result.model} v${result.version}.`;
  if ("twin" in result) return twinText(result);
  const datasets = Array.isArray(result.datasets) ? result.datasets : [];
  if (!datasets.length) return "";
  const names = datasets
    .slice(0, 3)
    .map((row) => `${row.name} v${row.version}`)
    .join(", ");
  const more = datasets.length > 3 ? ` and ${datasets.length - 3} more` : "";
  const rows = Number.isInteger(result.rows)
    ? `, ${Number(result.rows).toLocaleString("en")} rows`
    : "";
  return `Wrote ${names}${more}${rows}.`;
}

/** @param {Record<string, unknown>} result */
function twinText(result) {
  const counts = Object.entries({ created: "new", changed: "changed", removed: "removed" })
    .filter(([name]) => Number.isInteger(result[name]) && result[name])
    .map(([name, word]) => `${Number(result[name]).toLocaleString("en")} ${word}`)
    .join(", ");
  return counts
    ? `Created revision ${result.revision} of twin ${result.twin}: ${counts}.`
    : `Twin ${result.twin} is unchanged: no values differ.`;
}
