"""Sample data of an installation: the demo, jobs in every state, datasets, and a growing log."""

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
from tests.screenshots.content import (
    BOOK,
    CLEAN,
    COUNTERS,
    DAILY,
    GREEDY,
    LONG_LINES,
    LONG_NAME,
    READ,
    REFUSED,
    STATIONS_PROGRAM,
    STREETS,
    TWIN_DEFINITION,
)
from tests.support.modelrows import write_versions
from tests.support.stack import Stack
from tests.support.twins import edit_entity, make_twin, update_twin
from tests.support.waiting import wait_for

STATIONS = "stations"


def _command(step: str, program: str, *needs: str) -> dict[str, Any]:
    return {
        "id": step,
        "uses": "command",
        "needs": list(needs),
        "with": {"argv": ["python3", "-c", program]},
    }


class Showcase:
    """Jobs and staged uploads that pages show, by short name."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.jobs: dict[str, str] = {}
        self.uploads: dict[str, str] = {}  # staged
        self._held = 0  # process id of the worker that is suspended before its claim

    def make(self, *, more: bool = False) -> None:
        """Create the data. Jobs that must be shown as running still run afterwards.

        `more`: also create rare states, for which the installation must retry and launch slowly.
        """
        assert run_demo(Places(self.stack.var), submit=True, say=lambda line: None)
        rows = self.stack.call("GET", f"/api/v1/projects/{PROJECT}/jobs/").json()["results"]
        self.jobs["succeeded"] = next(
            row["id"] for row in rows if row["type"] == "pipeline_execution"
        )
        self._bikes()
        self._models(trained=more)
        self._twin()
        self._ended_badly()
        if more:
            self._extremes()
        for word in [word for word in self.jobs if word != "running"]:
            self.stack.end_of(self.jobs[word])
        if more:
            self._between_states()
        self._unfinished(more=more)

    def _ended_badly(self) -> None:
        """Create a failed job, one that ran out of memory and a cancelled one."""
        self.jobs["failed"] = self._run(
            "check-shares",
            [READ, DAILY, _command("check", REFUSED, "daily")],
            "Check member shares",
        )
        load = [READ, _command("load", GREEDY, "trips")]
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

    def _unfinished(self, *, more: bool) -> None:
        """Create a running job with a growing log, and jobs that wait for free capacity."""
        save = {"id": "save", "uses": "write", "with": {"dataset": "daily-trips", "from": "daily"}}
        steps = [
            READ,
            DAILY,
            _command("clean", CLEAN, "daily"),
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
        """Release blocked processes, so they can stop."""
        os.kill(self._held, signal.SIGCONT)

    def _models(self, *, trained: bool) -> None:
        """Create a model for each task, with useful plots.

        `trained`: also train the classifiers with real jobs.
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
        """Create unusually long, wide and numerous content, and an empty project."""
        self.jobs["long"] = self._run("long-lines", [_command("print", LONG_LINES)], LONG_NAME)
        chain = [READ] + [
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
        for content in (COUNTERS, COUNTERS.replace(b"humidity", b"humidity_percent")):
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
            "csv": self._stage("counters.csv", COUNTERS),
            "more": self._stage(
                "more.csv",
                b"\n".join(COUNTERS.replace(b"humidity", b"humidity_percent").splitlines()[:3])
                + b"\n",
            ),
            "excel": self._stage("trips.xlsx", BOOK),
            "json": self._stage("stations.json", json.dumps(document, indent=1).encode()),
            "error": self._stage("broken.csv", b"a,b\n1,2\n1,2,3\n"),
        }
        made = self.stack.call(
            "POST", "/api/v1/projects/", json={"slug": "sea-water", "name": "Sea water"}
        )
        assert made.status_code == 201, made.text

    def _between_states(self) -> None:
        """Create a job whose worker is being started, and one that waits for its next attempt."""
        self.stack.arm("worker.before_claim", "hold")
        self.jobs["starting"] = self._run(
            "hourly", [_command("wait", "import time; time.sleep(600)")], "Hour 0"
        )
        self.stack.wait_hit("worker.before_claim")
        self._held = self.stack.worker_pid(self.jobs["starting"])
        os.kill(self._held, signal.SIGSTOP)  # a crash point blocks for only a minute
        flaky = "import sys; print('the source answered 503', file=sys.stderr); sys.exit(1)"
        self.jobs["retrying"] = self._run(
            "flaky-source", [_command("fetch", flaky)], "Hourly station status", max_attempts=3
        )
        wait_for(lambda: self.stack.job(self.jobs["retrying"])["attempt"] == 2, "it tries again")

    def _twin(self) -> None:
        """Create twelve stations in two districts, with two edits and three updates. The last
        update omits one station.
        """
        make_twin(self.stack, PROJECT, STATIONS, TWIN_DEFINITION)
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
                street = STREETS[number % len(STREETS)]
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
            [sys.executable, "-c", STATIONS_PROGRAM], capture_output=True, check=True
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
        assert saved.status_code in (200, 201), saved.text  # 200: it already has this definition
        body = {
            "type": "pipeline_execution",
            "name": name,
            "parameters": {"pipeline": pipeline},
            **fields,
        }
        made = self.stack.call("POST", f"{base}jobs/", json=body)
        assert made.status_code == 201, made.text
        return str(made.json()["id"])
