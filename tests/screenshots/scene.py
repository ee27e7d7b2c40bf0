"""An installation with something to see: the demo, jobs in every state, data sets, a log that moves."""

import subprocess
import sys
from typing import Any

from mimir.dev.demo import PROJECT, run_demo
from mimir.dev.places import Places
from tests.support.stack import Stack, wait_for

_STATIONS = """
import random, sys
random.seed(4)
print("station,day,trips,minutes,member_share")
for station in ("Pier 69", "Pine St & 9th Ave", "Westlake Ave & 6th Ave", "Occidental Park", "E Pine St & 16th Ave"):
    for day in range(1, 29):
        print(f"{station},2026-10-{day:02d},{random.randint(20, 240)},{random.uniform(6, 25):.2f},{random.uniform(.3, .9):.3f}")
""".strip()

_CLEAN = """
import sys, time, random
random.seed(7)
stations = ["Pier 69", "Pine St & 9th Ave", "Westlake Ave & 6th Ave", "Occidental Park", "E Pine St & 16th Ave"]
print("\\x1b[1mreading 1 024 000 trips\\x1b[0m", flush=True)
for number in range(1, 4000):
    level = "\\x1b[33mWARN\\x1b[0m" if number % 37 == 0 else "\\x1b[32mINFO\\x1b[0m"
    what = "trip without an end, left out" if number % 37 == 0 else f"{stations[number % 5]}: {random.randint(80, 900)} trips"
    print(f"{level} batch {number:4d} {what}", file=sys.stderr if number % 37 == 0 else sys.stdout, flush=True)
    time.sleep(0.02 if number < 160 else 0.4)
""".strip()

_REFUSED = """
import sys
print("reading inputs/trips.parquet", flush=True)
print("140 rows, 5 columns", flush=True)
print("Traceback (most recent call last):", file=sys.stderr)
print('  File "check.py", line 31, in <module>', file=sys.stderr)
print('    assert share <= 1, f"member_share {share} in row {row}"', file=sys.stderr)
print("AssertionError: member_share 1.08 in row 97", file=sys.stderr)
sys.exit(1)
""".strip()

_READ = {"id": "trips", "uses": "read", "with": {"dataset": "bike-trips"}}
_QUERY = """
SELECT day, sum(trips) AS trips, avg(member_share) AS member_share
FROM trips
GROUP BY day
ORDER BY day
""".strip()
_DAILY = {"id": "daily", "uses": "sql", "with": {"query": _QUERY}}


def _command(step: str, program: str, *needs: str) -> dict[str, Any]:
    return {"id": step, "uses": "command", "needs": list(needs), "with": {"argv": ["python3", "-c", program]}}


class Scene:
    """The jobs to look at, by a word for each."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.jobs: dict[str, str] = {}

    def make(self) -> None:
        """All of it; what is to run still runs."""
        assert run_demo(Places(self.stack.var), submit=True, say=lambda line: None)
        rows = self.stack.call("GET", f"/api/v1/projects/{PROJECT}/jobs/").json()["results"]
        self.jobs["succeeded"] = rows[0]["id"]
        self._bikes()
        self.jobs["failed"] = self._run("check-shares", [_READ, _DAILY, _command("check", _REFUSED, "daily")], "Check member shares")
        greedy = "rows = [b'x' * (1 << 20) for _ in range(4096)]"
        load = [_READ, _command("load", greedy, "trips")]
        self.jobs["memory"] = self._run("all-in-memory", load, "Everything in memory", resources={"memory": "256Mi"})
        self.jobs["cancelled"] = self._run("long-export", [_command("export", "import time; time.sleep(600)")], "Export of the year")
        self.stack.wait_status(self.jobs["cancelled"], "running")
        self.stack.call("POST", f"/api/v1/jobs/{self.jobs['cancelled']}/cancel/")
        for word in ("failed", "memory", "cancelled"):
            self.stack.end_of(self.jobs[word])
        save = {"id": "save", "uses": "write", "with": {"dataset": "daily-trips", "from": "daily"}}
        steps = [_READ, _DAILY, _command("clean", _CLEAN, "daily"), save, _command("report", "print('done')", "clean")]
        self.jobs["running"] = self._run("nightly-bikes", steps, "Nightly bikes", labels={"team": "mobility", "run": "nightly"})
        self.stack.wait_status(self.jobs["running"], "running")
        fillers = [self._run("hourly", [_command("wait", "import time; time.sleep(600)")], f"Hour {hour}") for hour in range(3)]
        for job in fillers:
            self.stack.wait_status(job, "running")
        self.jobs["waiting"] = self._run("hourly", [_command("wait", "import time; time.sleep(600)")], "Hour 4")
        self._run("nightly-bikes", steps, "Nightly bikes, again", priority="high")
        wait_for(lambda: (self.stack.job(self.jobs["waiting"])["waiting"] or {}).get("detail"), "the waiting job knows why")
        wait_for(lambda: int(self.stack.log(self.jobs["running"], limit=0).headers["Log-End"]) > 12_000, "the log moves")

    def _bikes(self) -> None:
        made = subprocess.run([sys.executable, "-c", _STATIONS], capture_output=True, check=True).stdout
        answer = self.stack.call("POST", f"/api/v1/projects/{PROJECT}/datasets/", data={"name": "bike-trips"}, files={"file": ("trips.csv", made)})
        assert answer.status_code == 201, answer.text

    def _run(self, pipeline: str, steps: list[dict[str, Any]], name: str, **fields: Any) -> str:
        base = f"/api/v1/projects/{PROJECT}/"
        saved = self.stack.call("POST", f"{base}pipelines/", json={"name": pipeline, "definition": {"steps": steps}})
        assert saved.status_code == 201, saved.text
        body = {"type": "pipeline_execution", "name": name, "parameters": {"pipeline": pipeline}, **fields}
        made = self.stack.call("POST", f"{base}jobs/", json=body)
        assert made.status_code == 201, made.text
        return str(made.json()["id"])
