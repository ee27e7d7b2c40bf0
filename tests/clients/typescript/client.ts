// Example client of the API with openapi-fetch. Compiled with --strict against the types generated from the served document,
// then run against an installation: every assertion is on what the server answered.
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

declare const process: { env: Record<string, string | undefined> };

type Job = components["schemas"]["JobShape"];

function check(condition: unknown, what: string): asserts condition {
  if (!condition) throw new Error(what);
}

function the<T>(answer: { data?: T; error?: components["schemas"]["Error"]; response: Response }): T {
  if (answer.data === undefined) throw new Error(`${answer.response.status}: ${JSON.stringify(answer.error)}`);
  return answer.data;
}

const baseUrl = process.env["API_URL"] ?? "";
const slug = "typescript-client";
const numbers = "n,word\n1,one\n2,two\n3,three\n";

const anonymous = createClient<paths>({ baseUrl });
const session = the(
  await anonymous.POST("/api/v1/session/", {
    body: { username: process.env["API_USERNAME"] ?? "", password: process.env["API_PASSWORD"] ?? "" },
  }),
);
const api = createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${session.token}` } });

// Create, upload, list, read
the(await api.POST("/api/v1/projects/", { body: { slug, name: "TypeScript client", description: "ä, 한국어" } }));
const uploaded = the(
  await api.POST("/api/v1/projects/{slug}/datasets/", {
    params: { path: { slug } },
    body: { name: "numbers", file: numbers },
    bodySerializer: ({ name, file }) => {
      const form = new FormData();
      form.append("name", name);
      form.append("file", new Blob([file], { type: "text/csv" }), "numbers.csv");
      return form;
    },
  }),
);
check(uploaded.version.row_count === 3, "three rows");
const projects = the(await api.GET("/api/v1/projects/", { params: { query: { limit: 200 } } }));
check(projects.results.some((project) => project.slug === slug), "the project is listed");
const version = { slug, name: "numbers", number: "latest" };
const rows = the(
  await api.GET("/api/v1/projects/{slug}/datasets/{name}/versions/{number}/rows/", { params: { path: version, query: { limit: 2 } } }),
);
check(JSON.stringify(rows.rows) === '[[1,"one"],[2,"two"]]' && rows.truncated, "two rows");
const content = await api.GET("/api/v1/projects/{slug}/datasets/{name}/versions/{number}/content/", {
  params: { path: version },
  parseAs: "text",
});
check(the<unknown>(content) === numbers, "the download is what was uploaded");
const part = await api.GET("/api/v1/projects/{slug}/datasets/{name}/versions/{number}/content/", {
  params: { path: version, header: { Range: "bytes=2-5" } },
  parseAs: "text",
});
check(part.response.status === 206 && the<unknown>(part) === numbers.slice(2, 6), "a range of it");

// A job of each type: the request's type is chosen by `type`
const requests: [components["schemas"]["JobRequest"], string][] = [
  [{ type: "pipeline_execution", parameters: { pipeline: "none" } }, "parameters.pipeline"],
  [
    {
      type: "ml_training",
      parameters: { dataset: "numbers", target: "n", model: "m", algorithm: "random_forest", hyperparameters: { max_features: 0.5 } },
    },
    "",
  ],
  [{ type: "ml_inference", parameters: { model: "none", dataset: "numbers", output: "o", keys: ["n"] } }, "parameters.model"],
  [{ type: "digital_twin_update", parameters: { twin: "none", dataset: "numbers", type: "x", key: "n" } }, "parameters.twin"],
];
for (const [body, fault] of requests) {
  const answer = await api.POST("/api/v1/projects/{slug}/jobs/", { params: { path: { slug }, query: { dry_run: true } }, body });
  if (fault) check(answer.response.status === 400 && fault in (answer.error?.detail ?? {}), `${body.type}: ${JSON.stringify(answer.error)}`);
  else check(the(answer) && answer.response.status === 200, body.type);
}

const definition = { steps: [{ id: "say", uses: "command", with: { argv: ["sh", "-c", "printf 'made here' > outputs/made.txt"] } }] };
the(await api.POST("/api/v1/projects/{slug}/pipelines/", { params: { path: { slug } }, body: { name: "makes", definition } }));
const submitted = the(
  await api.POST("/api/v1/projects/{slug}/jobs/", {
    params: { path: { slug }, header: { "Idempotency-Key": "once" } },
    body: { type: "pipeline_execution", parameters: { pipeline: "makes" } },
  }),
);
check("id" in submitted, "a job");
let job: Job = submitted;
for (let tries = 0; tries < 4 && job.finished_at === null; tries++) {
  job = the(await api.GET("/api/v1/jobs/{job_id}/", { params: { path: { job_id: submitted.id }, query: { wait: 25 } } }));
}
check(job.status === "succeeded", JSON.stringify(job));
const artifacts = the(await api.GET("/api/v1/jobs/{job_id}/artifacts/", { params: { path: { job_id: job.id } } }));
const artifact = await api.GET("/api/v1/jobs/{job_id}/artifacts/{name}/", {
  params: { path: { job_id: job.id, name: artifacts.results[0]?.name ?? "" } },
  parseAs: "text",
});
check(the<unknown>(artifact) === "made here", "the artifact");
const found = the(
  await api.GET("/api/v1/projects/{slug}/jobs/", { params: { path: { slug }, query: { status: ["succeeded", "failed"] } } }),
);
check(found.results.length === 1 && found.results[0]?.id === job.id, "jobs by several statuses");

// Edits and errors
const read = await api.GET("/api/v1/projects/{slug}/", { params: { path: { slug } } });
const etag = read.response.headers.get("ETag") ?? "";
const edit = { params: { path: { slug }, header: { "If-Match": etag } }, body: { description: "new" } };
check(the(await api.PATCH("/api/v1/projects/{slug}/", edit)).description === "new", "edited");
const stale = await api.PATCH("/api/v1/projects/{slug}/", edit);
check(stale.response.status === 412 && stale.error?.code === "precondition_failed", "a stale ETag is refused");
const missing = await api.GET("/api/v1/projects/{slug}/", { params: { path: { slug: "none" } } });
check(missing.response.status === 404 && missing.error?.code === "not_found", "a typed error");
console.log("ok");
