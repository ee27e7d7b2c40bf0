"""The demo project, created through the public API: a dataset, a pipeline, a twin, four jobs.

Each job uses the results of earlier ones. Repeatable: existing resources are kept, and
each run submits four more jobs.
"""

import json
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import httpx

from mimir.dev.paths import Places
from mimir.dev.secrets import write_private
from mimir.lib import sample

JOB_SECONDS, PATIENCE_SECONDS = 300.0, 60.0


class DemoFailed(Exception):
    """The API refused a request. The message is its response."""


def run_demo(places: Places, *, submit: bool, say: Callable[[str], None]) -> bool:
    """Sign in, store a token in `demo.json`; with `submit`, create the project and run its jobs.

    Returns whether all succeeded. Raises: DemoFailed; httpx.HTTPError if there is no response
    for PATIENCE_SECONDS.
    """
    described = json.loads(places.demo.read_text())
    with httpx.Client(
        base_url=described["frontend_url"].replace("localhost", "127.0.0.1"),
        timeout=60,
        trust_env=False,
    ) as client:
        client.headers["Host"] = httpx.URL(described["frontend_url"]).netloc.decode()
        _sign_in(client, places, described)
        if not submit:
            return True
        _load(client, say)
        _describe(places, described, project=sample.PROJECT)
        return _run_jobs(client, described["frontend_url"], say)


def _sign_in(client: httpx.Client, places: Places, described: dict[str, Any]) -> None:
    """Sign in with the stored token if it is valid, else with the password."""
    if described.get("token"):
        client.headers["Authorization"] = f"Bearer {described['token']}"
        if _call(client, "GET", "/api/v1/session/").status_code == 200:
            return
        del client.headers["Authorization"]
    credentials = {"username": described["username"], "password": described["password"]}
    session = _json(_call(client, "POST", "/api/v1/session/", json=credentials))
    client.headers["Authorization"] = f"Bearer {session['token']}"
    created = _json(_call(client, "POST", "/api/v1/tokens/", json={"name": "laptop"}))
    _json(_call(client, "DELETE", "/api/v1/session/"))
    client.headers["Authorization"] = f"Bearer {created['token']}"
    _describe(places, described, token=created["token"])


def _describe(places: Places, described: dict[str, Any], **more: str) -> None:
    described.update(more)
    write_private(places.demo, json.dumps(described, indent=1))


def _load(client: httpx.Client, say: Callable[[str], None]) -> None:
    base = f"/api/v1/projects/{sample.PROJECT}/"
    if _call(client, "GET", base).status_code == 404:
        _make(
            client,
            "/api/v1/projects/",
            {
                "slug": sample.PROJECT,
                "name": sample.PROJECT_NAME,
                "description": sample.DESCRIPTION,
            },
        )
    if _call(client, "GET", f"{base}datasets/{sample.DATASET}/").status_code == 404:
        files = {"file": (sample.FILE.name, sample.FILE.read_bytes(), "text/csv")}
        stored = _json(
            _call(client, "POST", f"{base}datasets/", data={"name": sample.DATASET}, files=files)
        )
        say(f"dataset {sample.DATASET}: {stored['version']['row_count']} rows")
    newest = _call(client, "GET", f"{base}pipelines/{sample.PIPELINE}/")
    if newest.status_code == 404 or _json(newest)["versions"][0]["definition"] != sample.DEFINITION:
        _json(
            _call(
                client,
                "POST",
                f"{base}pipelines/",
                json={"name": sample.PIPELINE, "definition": sample.DEFINITION},
            )
        )
        say(
            f"pipeline {sample.PIPELINE}: "
            f"{' > '.join(step['id'] for step in sample.DEFINITION['steps'])}"
        )
    if _call(client, "GET", f"{base}twins/{sample.TWIN}/").status_code == 404:
        _make(client, f"{base}twins/", {"name": sample.TWIN, "definition": sample.TWIN_DEFINITION})
        say(f"twin {sample.TWIN}")


def _make(client: httpx.Client, path: str, body: dict[str, Any]) -> None:
    response = _call(client, "POST", path, json=body)
    if response.status_code != 409:  # an earlier request without a response created it
        _json(response)


def _run_jobs(client: httpx.Client, frontend_url: str, say: Callable[[str], None]) -> bool:
    """Run the jobs one after another. Return whether all succeeded and the lineage is complete."""
    done = []
    for body in sample.JOBS:
        job = _run_job(client, body, frontend_url, say)
        if job["status"] != "succeeded":
            return False
        done.append(job)
    return _tell_lineage(client, done, say)


def _run_job(
    client: httpx.Client, body: dict[str, Any], frontend_url: str, say: Callable[[str], None]
) -> dict[str, Any]:
    key = {"Idempotency-Key": uuid4().hex}
    job = _json(
        _call(client, "POST", f"/api/v1/projects/{sample.PROJECT}/jobs/", json=body, headers=key)
    )
    say(f"{body['type']} job: follow it at {frontend_url}/jobs/{job['id']}/")
    path, end, after = f"/api/v1/jobs/{job['id']}/", time.monotonic() + JOB_SECONDS, 0
    while job["finished_at"] is None and time.monotonic() < end:
        job = _json(_call(client, "GET", path, params={"wait": 1}))
        after = _tell_events(client, path, after, say)
    say(f"  {job['status']}: {job['message'] or _result_line(job['result'])}")
    return job


def _result_line(result: dict[str, Any] | None) -> str:
    """Return the result of a job in one line."""
    facts = {
        key: value for key, value in (result or {}).items() if key not in ("steps", "baseline")
    }
    return json.dumps(facts, ensure_ascii=False)


def _tell_lineage(
    client: httpx.Client, jobs: list[dict[str, Any]], say: Callable[[str], None]
) -> bool:
    """Print the lineage of the forecast from the API. Return whether it has all `jobs`."""
    forecast = next(job["result"]["datasets"][0] for job in jobs if job["type"] == "ml_inference")
    of = f"dataset:{forecast['name']}@{forecast['version']}"
    found = _json(
        _call(client, "GET", f"/api/v1/projects/{sample.PROJECT}/lineage/", params={"of": of})
    )
    say(f"lineage of {of}")
    names = {node["id"]: node.get("job_type") or node["id"] for node in found["nodes"]}
    for line in lineage_lines(found["nodes"], found["edges"]):
        say(f"  {line}")
    missing = [job["type"] for job in jobs if f"job:{job['id']}" not in names]
    if missing:
        say(f"  it lacks {', '.join(missing)}")
    return not missing


def lineage_lines(nodes: list[dict[str, Any]], edges: list[dict[str, Any]]) -> list[str]:
    """Return a line for each job in order: `inputs > job > outputs`."""
    jobs = {node["id"]: node["job_type"] for node in nodes if node.get("job_type")}
    reads = {job: sorted(edge["from"] for edge in edges if edge["to"] == job) for job in jobs}
    writes = {job: sorted(edge["to"] for edge in edges if edge["from"] == job) for job in jobs}
    lines, left = [], list(jobs)
    while left:
        to_come = {thing for job in left for thing in writes[job]}
        ready = [
            job for job in left if not to_come.intersection(reads[job])
        ] or left  # stops at a cycle, which should not exist
        lines += [
            " > ".join(
                part for part in (", ".join(reads[job]), jobs[job], ", ".join(writes[job])) if part
            )
            for job in ready
        ]
        left = [job for job in left if job not in ready]
    return lines


def _tell_events(client: httpx.Client, path: str, after: int, say: Callable[[str], None]) -> int:
    for event in _json(_call(client, "GET", f"{path}events/", params={"after": after}))["results"]:
        after = event["seq"]
        data = event["data"]
        if event["kind"] == "notice":
            say(f"  note: {data['message']}")
        elif event["kind"].startswith("step."):
            facts = ", ".join(
                f"{key} {data[key]}"
                for key in ("rows", "seconds", "message")
                if data.get(key) is not None
            )
            say(f"  {event['kind'].removeprefix('step.'):9} {data['step']} {facts}".rstrip())
    return after


def _call(client: httpx.Client, method: str, path: str, **arguments: Any) -> httpx.Response:
    """Return the response; retry while processes restart. Every call here is idempotent."""
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            answer = client.request(method, path, **arguments)
            if answer.status_code not in (502, 503, 504) or time.monotonic() > end:
                return answer
        except httpx.TransportError:
            if time.monotonic() > end:
                raise
        time.sleep(0.3)


def _json(answer: httpx.Response) -> dict[str, Any]:
    if answer.is_error:
        raise DemoFailed(
            f"{answer.request.method} {answer.request.url.path} answered {answer.status_code}: "
            f"{answer.text[:500]}"
        )
    body: dict[str, Any] = answer.json() if answer.content else {}
    return body
