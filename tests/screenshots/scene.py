"""An installation with something to see.

The demo, jobs in every state, data sets, a log that moves.
"""

import json
import os
import signal
import subprocess
import sys
from typing import Any

from mimir.dev.demo import run_demo
from mimir.dev.paths import Places
from mimir.lib.sample import DATASET, PROJECT
from tests.frontend import shelf
from tests.support.modelrows import write_versions
from tests.support.stack import Stack
from tests.support.twins import edit_entity, make_twin, update_twin
from tests.support.waiting import wait_for
from tests.support.workbooks import PlainCell, xlsx_of

_STATIONS = """
import random, sys
random.seed(4)
print("station,day,trips,minutes,member_share")
for station in ("Pier 69", "Pine St & 9th Ave", "Westlake Ave & 6th Ave", "Occidental Park", "E Pine St & 16th Ave"):
    for day in range(1, 29):
        print(f"{station},2026-10-{day:02d},{random.randint(20, 240)},{random.uniform(6, 25):.2f},{random.uniform(.3, .9):.3f}")
""".strip()  # noqa: E501

_CLEAN = """
import sys, time, random
random.seed(7)
stations = ["Pier 69", "Pine St & 9th Ave", "Westlake Ave & 6th Ave", "Occidental Park", "E Pine St & 16th Ave"]
print("\\x1b[1mreading 1 024 000 trips\\x1b[0m", flush=True)
for number in range(1, 4000):
    level = "\\x1b[33mWARN\\x1b[0m" if number % 37 == 0 else "\\x1b[32mINFO\\x1b[0m"
    what = "trip without an end, skipped" if number % 37 == 0 else f"{stations[number % 5]}: {random.randint(80, 900)} trips"
    print(f"{level} batch {number:4d} {what}", file=sys.stderr if number % 37 == 0 else sys.stdout, flush=True)
    time.sleep(0.02 if number < 160 else 0.4)
""".strip()  # noqa: E501

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

_GREEDY = """
import time
rows = []
for number in range(4096):
    rows.append(b"x" * (4 << 20))
    if number % 10 == 0:
        print(f"{number} of 4096 parts loaded", flush=True)
    time.sleep(0.15)
""".strip()

_LONG_LINES = """
print("{" + ", ".join(f'"station_{number}": {number * 7}' for number in range(4000)) + "}")
print("reading inputs/\\u202etxt.exe and <script>alert(1)</script>")
for number in range(60):
    print(f"{number:3d} " + "a rather long line that says the same thing again and again, " * (number % 4))
""".strip()  # noqa: E501

_STATION_ROWS: list[list[PlainCell]] = [[31000 + n, f"Station {n}"] for n in range(120)]
_BOOK = xlsx_of(
    {
        "Trips 2025": [
            ["Trips of the year"],
            [],
            ["made by hand"],
            ["station", "started", "minutes", "rider", "note"],
            *(
                [
                    31000 + n % 397,
                    f"2025-{n % 12 + 1:02}-03 07:12:00",
                    n / 10 if n % 9 else None,
                    ("casual", "member")[n % 2],
                ]
                for n in range(3000)
            ),
        ],
        "Stations": [["station", "name"], *_STATION_ROWS],
        "Chart": [],
        "Old lists": [["station"], [31000]],
    },
    hidden=["Old lists"],
)
_COUNTERS = b"""sensor_id;measured_at;flow_l_h;temp_c;active;humidity
S-1001;01/02/2025;1.234,5;12,4;true;61
S-1001;02/02/2025;1.180,0;12,1;true;63
S-1002;03/03/2025;998,2;n/a;false;58
S-1002;04/03/2025;1.410,7;13,0;true;57
S-1003;05/04/2025;1.402,2;12,8;true;60
"""

STATIONS = "stations"
_STREETS = (
    "3rd Ave & Broad St",
    "2nd Ave & Vine St",
    "Cedar St & 3rd Ave",
    "6th Ave & Blanchard St",
    "Pier 69",
    "Westlake Ave & 6th Ave",
)
_TWIN: dict[str, Any] = {
    "types": [
        {
            "name": "station",
            "title": "Station",
            "key": {"name": "station_id", "title": "Station"},
            "properties": [
                {"name": "label", "title": "Label", "type": "string"},
                {"name": "bikes", "title": "Bikes available", "type": "integer", "unit": "bikes"},
                {"name": "temperature", "title": "Temperature", "type": "number", "unit": "°C"},
                {"name": "in_service", "title": "In service", "type": "boolean"},
                {"name": "opened_on", "title": "Opened", "type": "date"},
            ],
            "relations": [{"name": "district", "title": "In district", "to": "district"}],
        },
        {
            "name": "district",
            "title": "District",
            "key": {"name": "name"},
            "properties": [{"name": "residents", "title": "Residents", "type": "integer"}],
        },
    ]
}

LONG_NAME = (
    "Weekly comparison of member and casual trips by station, weather and hour of the day, " * 3
)[:200]
_READ = {"id": "trips", "uses": "read", "with": {"dataset": "bike-trips"}}
_QUERY = """
SELECT day, sum(trips) AS trips, avg(member_share) AS member_share
FROM trips
GROUP BY day
ORDER BY day
""".strip()
_DAILY = {"id": "daily", "uses": "sql", "with": {"query": _QUERY}}


def _command(step: str, program: str, *needs: str) -> dict[str, Any]:
    return {
        "id": step,
        "uses": "command",
        "needs": list(needs),
        "with": {"argv": ["python3", "-c", program]},
    }


class Scene:
    """The jobs to look at, by a word for each."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.jobs: dict[str, str] = {}
        self.uploads: dict[str, str] = {}  # staged
        self._held = 0  # the worker that is kept from claiming

    def make(self, *, more: bool = False) -> None:
        """All of it; what is to run still runs.

        `more`: also what is rare, for which the installation has to retry and launch slowly.
        """
        assert run_demo(Places(self.stack.var), submit=True, say=lambda line: None)
        rows = self.stack.call("GET", f"/api/v1/projects/{PROJECT}/jobs/").json()["results"]
        self.jobs["succeeded"] = next(
            row["id"] for row in rows if row["type"] == "pipeline_execution"
        )
        self._bikes()
        self._models(trained=more)
        self._twin()
        self.jobs["failed"] = self._run(
            "check-shares",
            [_READ, _DAILY, _command("check", _REFUSED, "daily")],
            "Check member shares",
        )
        load = [_READ, _command("load", _GREEDY, "trips")]
        self.jobs["memory"] = self._run(
            "all-in-memory", load, "Everything in memory", resources={"memory": "256Mi"}
        )
        self.jobs["cancelled"] = self._run(
            "long-export",
            [_command("export", "import time; time.sleep(600)")],
            "Export of the year",
        )
        self.stack.wait_status(self.jobs["cancelled"], "running")
        self.stack.call("POST", f"/api/v1/jobs/{self.jobs['cancelled']}/cancel/")
        if more:
            self._extremes()
        for word in [word for word in self.jobs if word != "running"]:
            self.stack.end_of(self.jobs[word])
        if more:
            self._between_states()
        save = {"id": "save", "uses": "write", "with": {"dataset": "daily-trips", "from": "daily"}}
        steps = [
            _READ,
            _DAILY,
            _command("clean", _CLEAN, "daily"),
            save,
            _command("report", "print('done')", "clean"),
        ]
        self.jobs["running"] = self._run(
            "nightly-bikes", steps, "Nightly bikes", labels={"team": "mobility", "run": "nightly"}
        )
        self.stack.wait_status(self.jobs["running"], "running")
        fillers = [
            self._run("hourly", [_command("wait", "import time; time.sleep(600)")], f"Hour {hour}")
            for hour in range(1 if more else 0, 3)
        ]
        for job in fillers:
            self.stack.wait_status(job, "running")
        self.jobs["waiting"] = self._run(
            "hourly", [_command("wait", "import time; time.sleep(600)")], "Hour 4"
        )
        self._run("nightly-bikes", steps, "Nightly bikes, again", priority="high")
        wait_for(
            lambda: (self.stack.job(self.jobs["waiting"])["waiting"] or {}).get("detail"),
            "the waiting job knows why",
        )
        wait_for(
            lambda: int(self.stack.log(self.jobs["running"], limit=0).headers["Log-End"]) > 12_000,
            "the log moves",
        )

    def end(self) -> None:
        """Release blocked processes, to stop them with the rest."""
        os.kill(self._held, signal.SIGCONT)

    def _models(self, *, trained: bool) -> None:
        """A model of each task, with plots that have something to show.

        `trained`: the classes by real jobs.
        """
        rides = [shelf.regression(1, 1.085), shelf.regression(2)]
        write_versions(
            self.stack,
            project=PROJECT,
            name="demand-forecast",
            dataset="bike-trips",
            versions=rides,
        )
        if trained:
            for algorithm in ("random_forest", "logistic"):
                self.jobs["training"] = self._train(algorithm)
                self.stack.end_of(self.jobs["training"])
            return
        weather = [shelf.classification(1), shelf.classification(2)]
        write_versions(
            self.stack, project=PROJECT, name="weather-class", dataset=DATASET, versions=weather
        )

    def _train(self, algorithm: str) -> str:
        parameters = {
            "dataset": DATASET,
            "target": "weather",
            "model": "weather-class",
            "algorithm": algorithm,
        }
        made = self.stack.call(
            "POST",
            f"/api/v1/projects/{PROJECT}/jobs/",
            json={"type": "ml_training", "parameters": parameters},
        )
        assert made.status_code == 201, made.text
        return str(made.json()["id"])

    def _extremes(self) -> None:
        """Unusually long, wide and numerous content, and an empty project."""
        self.jobs["long"] = self._run("long-lines", [_command("print", _LONG_LINES)], LONG_NAME)
        chain = [_READ] + [
            {
                "id": f"s{number:02d}",
                "uses": "sql",
                "with": {
                    "query": f"SELECT * FROM {'trips' if number < 3 else f's{number - 2:02d}'}"
                },
            }
            for number in range(1, 70)
        ]
        self.jobs["many-steps"] = self._run("many-steps", chain, "Seventy steps")
        head = ",".join(f"reading_{number}_of_a_sensor" for number in range(40))
        rows = "\n".join(
            ",".join(str(row * number / 8) if number % 5 else f"text {row}" for number in range(40))
            for row in range(60)
        )
        self._upload("forty-columns", f"{head}\n{rows}\n".encode())
        for content in (_COUNTERS, _COUNTERS.replace(b"humidity", b"humidity_percent")):
            self._upload("counters", content)
        station = {
            "id": 31007,
            "name": "City Hall",
            "position": {"lat": 47.6039, "lon": -122.33},
            "renting": True,
        }
        document = {
            "data": {
                "stations": [station, {**station, "id": 31009, "name": "Pike Place"}],
                "types": [{"id": 1}, {"id": 2}],
            }
        }
        self.uploads = {
            "csv": self._stage("counters.csv", _COUNTERS),
            "more": self._stage(
                "more.csv",
                b"\n".join(_COUNTERS.replace(b"humidity", b"humidity_percent").splitlines()[:3])
                + b"\n",
            ),
            "excel": self._stage("trips.xlsx", _BOOK),
            "json": self._stage("stations.json", json.dumps(document, indent=1).encode()),
            "error": self._stage("broken.csv", b"a,b\n1,2\n1,2,3\n"),
        }
        made = self.stack.call(
            "POST", "/api/v1/projects/", json={"slug": "sea-water", "name": "Sea water"}
        )
        assert made.status_code == 201, made.text

    def _between_states(self) -> None:
        """A job whose worker is being started, and one that waits for its next try."""
        self.stack.arm("worker.before_claim", "hold")
        self.jobs["starting"] = self._run(
            "hourly", [_command("wait", "import time; time.sleep(600)")], "Hour 0"
        )
        self.stack.wait_hit("worker.before_claim")
        self._held = self.stack.worker_pid(self.jobs["starting"])
        os.kill(self._held, signal.SIGSTOP)  # a crash point holds for a minute only
        flaky = "import sys; print('the source answered 503', file=sys.stderr); sys.exit(1)"
        self.jobs["retrying"] = self._run(
            "flaky-source", [_command("fetch", flaky)], "Hourly station status", max_attempts=3
        )
        wait_for(lambda: self.stack.job(self.jobs["retrying"])["attempt"] == 2, "it tries again")

    def _twin(self) -> None:
        """Twelve stations in two districts, three updates of which the last one leaves one out, and
        two edits.
        """
        make_twin(self.stack, PROJECT, STATIONS, _TWIN)
        update_twin(
            self.stack,
            PROJECT,
            STATIONS,
            "name,residents\nBelltown,12401\nFremont,30187\n",
            type="district",
            key="name",
        )
        for hour, count in enumerate((12, 12, 11)):
            rows = ["station_id,label,bikes,temperature,in_service,opened_on,district"]
            for number in range(1, count + 1):
                bikes = "" if number == 7 else (number * 5 + hour * (number % 3)) % 19
                where = "Belltown" if number < 9 else "Fremont"
                street = _STREETS[number % len(_STREETS)]
                rows.append(
                    f"BT-{number:02d},{street},{bikes},{9.5 + number / 8 + hour / 4},{number != 5},2014-10-{number:02d},{where}"  # noqa: E501
                )
            update_twin(
                self.stack,
                PROJECT,
                STATIONS,
                "\n".join(rows) + "\n",
                type="station",
                key="station_id",
                missing="mark",
            )
            if hour == 1:
                edit_entity(
                    self.stack,
                    PROJECT,
                    STATIONS,
                    "station",
                    "BT-01",
                    {"in_service": False, "bikes": 4},
                    "dock 4 broken",
                )
        edit_entity(
            self.stack,
            PROJECT,
            STATIONS,
            "station",
            "BT-02",
            {"label": "2nd Ave & Vine St, north side"},
            "moved",
        )

    def _bikes(self) -> None:
        made = subprocess.run(
            [sys.executable, "-c", _STATIONS], capture_output=True, check=True
        ).stdout
        self._upload("bike-trips", made)

    def _stage(self, name: str, content: bytes) -> str:
        answer = self.stack.call(
            "POST", f"/api/v1/projects/{PROJECT}/uploads/", files={"file": (name, content)}
        )
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def _upload(self, name: str, content: bytes) -> None:
        address = f"/api/v1/projects/{PROJECT}/datasets/"
        answer = self.stack.call(
            "POST", address, data={"name": name}, files={"file": (f"{name}.csv", content)}
        )
        assert answer.status_code == 201, answer.text

    def _run(self, pipeline: str, steps: list[dict[str, Any]], name: str, **fields: Any) -> str:
        base = f"/api/v1/projects/{PROJECT}/"
        saved = self.stack.call(
            "POST", f"{base}pipelines/", json={"name": pipeline, "definition": {"steps": steps}}
        )
        assert saved.status_code in (200, 201), saved.text  # 200: it is defined so already
        body = {
            "type": "pipeline_execution",
            "name": name,
            "parameters": {"pipeline": pipeline},
            **fields,
        }
        made = self.stack.call("POST", f"{base}jobs/", json=body)
        assert made.status_code == 201, made.text
        return str(made.json()["id"])
