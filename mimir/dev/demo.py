"""The demo project, made through the public API at the frontend, as any user could: a public data set, a pipeline, one job.

Repeatable: what is there stays, and a second run submits a second job.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from mimir.dev.places import Places
from mimir.dev.secrets import write_private

PROJECT, DATASET, PIPELINE, OUTPUT = "seattle-weather", "weather", "monthly-summary", "weather-by-month"
DATA = Path(__file__).parent / "data" / "seattle-weather.csv"
JOB_SECONDS, PATIENCE_SECONDS = 300.0, 60.0

_QUERY = """
SELECT
    strftime(date, '%Y-%m') AS month,
    round(avg((temp_max + temp_min) / 2), 1) AS mean_temperature,
    round(sum(precipitation), 1) AS precipitation_mm,
    count(*) FILTER (WHERE weather = 'sun') AS sunny_days,
    count(*) AS days
FROM weather
GROUP BY month
ORDER BY month
""".strip()

_REPORT = """
import time
import duckdb

rows = duckdb.sql("SELECT * FROM 'inputs/by_month.parquet' ORDER BY month").fetchall()
print(f"{len(rows)} months", flush=True)
with open("outputs/report.md", "w") as report:
    report.write("| month | mean temperature | rain mm | sunny days |\\n|---|---|---|---|\\n")
    for number, (month, temperature, rain, sunny, days) in enumerate(rows, start=1):
        report.write(f"| {month} | {temperature} | {rain} | {sunny} of {days} |\\n")
        print(f"{month}  {temperature:5.1f} degrees  {'#' * round(rain / 10)}", flush=True)
        time.sleep(0.05)
print("wrote outputs/report.md", flush=True)
""".strip()

DEFINITION: dict[str, Any] = {
    "steps": [
        {"id": "weather", "uses": "read", "with": {"dataset": DATASET}},
        {"id": "by_month", "uses": "sql", "with": {"query": _QUERY}},
        {"id": "report", "uses": "command", "needs": ["by_month"], "with": {"argv": ["python3", "-c", _REPORT]}},
        {"id": "save", "uses": "write", "with": {"dataset": OUTPUT, "from": "by_month"}},
    ]
}


class DemoFailed(Exception):
    """The API refused something; the message is its answer."""


def run_demo(places: Places, *, submit: bool, say: Callable[[str], None]) -> bool:
    """Sign in, keep a token in `demo.json`; with `submit` load the project and run its pipeline. Whether the job succeeded.

    Raises: DemoFailed, httpx.HTTPError when nobody answers for PATIENCE_SECONDS.
    """
    described = json.loads(places.demo.read_text())
    with httpx.Client(base_url=described["frontend_url"].replace("localhost", "127.0.0.1"), timeout=60, trust_env=False) as client:
        client.headers["Host"] = httpx.URL(described["frontend_url"]).netloc.decode()
        _sign_in(client, places, described)
        if not submit:
            return True
        _load(client, say)
        _describe(places, described, project=PROJECT)
        return _run_job(client, described["frontend_url"], say)


def _sign_in(client: httpx.Client, places: Places, described: dict[str, Any]) -> None:
    """With the token of the last start, if it still opens; else with the password, for a new one."""
    if described.get("token"):
        client.headers["Authorization"] = f"Bearer {described['token']}"
        if _call(client, "GET", "/api/v1/session/").status_code == 200:
            return
        del client.headers["Authorization"]
    credentials = {"username": described["username"], "password": described["password"]}
    session = _json(_call(client, "POST", "/api/v1/session/", json=credentials))
    client.headers["Authorization"] = f"Bearer {session['token']}"
    made = _json(_call(client, "POST", "/api/v1/tokens/", json={"name": "laptop"}))
    _json(_call(client, "DELETE", "/api/v1/session/"))
    client.headers["Authorization"] = f"Bearer {made['token']}"
    _describe(places, described, token=made["token"])


def _describe(places: Places, described: dict[str, Any], **more: str) -> None:
    described.update(more)
    write_private(places.demo, json.dumps(described, indent=1))


def _load(client: httpx.Client, say: Callable[[str], None]) -> None:
    base = f"/api/v1/projects/{PROJECT}/"
    if _call(client, "GET", base).status_code == 404:
        body = {"slug": PROJECT, "name": "Seattle weather", "description": "Daily weather of Seattle, 2012 to 2015 (NOAA)."}
        made = _call(client, "POST", "/api/v1/projects/", json=body)
        if made.status_code != 409:  # a first try whose answer was lost has made it
            _json(made)
    if _call(client, "GET", f"{base}datasets/{DATASET}/").status_code == 404:
        files = {"file": (DATA.name, DATA.read_bytes(), "text/csv")}
        stored = _json(_call(client, "POST", f"{base}datasets/", data={"name": DATASET}, files=files))
        say(f"dataset {DATASET}: {stored['version']['row_count']} rows")
    newest = _call(client, "GET", f"{base}pipelines/{PIPELINE}/")
    if newest.status_code == 404 or _json(newest)["versions"][0]["definition"] != DEFINITION:
        _json(_call(client, "POST", f"{base}pipelines/", json={"name": PIPELINE, "definition": DEFINITION}))
        say(f"pipeline {PIPELINE}: {' > '.join(step['id'] for step in DEFINITION['steps'])}")


def _run_job(client: httpx.Client, frontend_url: str, say: Callable[[str], None]) -> bool:
    body = {"type": "pipeline_execution", "name": "Demo", "parameters": {"pipeline": PIPELINE}}
    key = {"Idempotency-Key": uuid4().hex}
    job = _json(_call(client, "POST", f"/api/v1/projects/{PROJECT}/jobs/", json=body, headers=key))
    say(f"job {job['id']}: watch it at {frontend_url}/jobs/{job['id']}/")
    path, end, after = f"/api/v1/jobs/{job['id']}/", time.monotonic() + JOB_SECONDS, 0
    while job["finished_at"] is None and time.monotonic() < end:
        job = _json(_call(client, "GET", path, params={"wait": 1}))
        after = _tell_events(client, path, after, say)
    say(f"job {job['status']}{': ' + job['message'] if job['message'] else ''}")
    return bool(job["status"] == "succeeded")


def _tell_events(client: httpx.Client, path: str, after: int, say: Callable[[str], None]) -> int:
    for event in _json(_call(client, "GET", f"{path}events/", params={"after": after}))["results"]:
        after = event["seq"]
        if event["kind"].startswith("step."):
            data = event["data"]
            facts = ", ".join(f"{key} {data[key]}" for key in ("rows", "seconds", "message") if data.get(key) is not None)
            say(f"  {event['kind'].removeprefix('step.'):9} {data['step']} {facts}".rstrip())
    return after


def _call(client: httpx.Client, method: str, path: str, **arguments: Any) -> httpx.Response:
    """The answer; asked again while what died is being started again. Every call here may reach the server twice without harm."""
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
        raise DemoFailed(f"{answer.request.method} {answer.request.url.path} answered {answer.status_code}: {answer.text[:500]}")
    body: dict[str, Any] = answer.json() if answer.content else {}
    return body
