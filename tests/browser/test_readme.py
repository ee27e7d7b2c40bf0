"""The README's examples run as they are written, one after another, on what the demo's project holds."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from mimir.lib import sample
from tests.support.stack import Stack

README = (Path(__file__).resolve().parents[2] / "README.md").read_text()


def _blocks(heading: str, language: str) -> list[str]:
    """The fenced blocks of one section, in order."""
    section = README.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return re.findall(rf"^```{language}\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def base(stack: Stack) -> str:
    """The demo's project with its dataset, its pipeline's results and its twin."""
    base = f"/api/v1/projects/{stack.project(sample.PROJECT)}/"
    files = {"file": (sample.FILE.name, sample.FILE.read_bytes(), "text/csv")}
    assert (
        stack.call(
            "POST", f"{base}datasets/", data={"name": sample.DATASET}, files=files
        ).status_code
        == 201
    )
    for folder, name, definition in (
        ("pipelines", sample.PIPELINE, sample.DEFINITION),
        ("twins", sample.TWIN, sample.TWIN_DEFINITION),
    ):
        if (
            stack.call("GET", f"{base}{folder}/{name}/").status_code == 404
        ):  # else another test has set up the demo's project
            made = stack.call(
                "POST", f"{base}{folder}/", json={"name": name, "definition": definition}
            )
            assert made.status_code == 201, made.text
    job = stack.call("POST", f"{base}jobs/", json=sample.JOBS[0]).json()
    assert stack.end_of(job["id"])["status"] == "succeeded"
    return base


def test_the_commands_run_with_the_pipeline_above_them(
    stack: Stack, base: str, tmp_path: Path
) -> None:
    [definition] = _blocks("A pipeline", "json")
    (tmp_path / "pipeline.json").write_text(definition)
    (tmp_path / "weather.csv").write_bytes(sample.FILE.read_bytes())
    commands = _blocks("From a program", "")[0]
    script = "set -euo pipefail\n" + commands.replace(
        "http://localhost:3000", stack.described["frontend_url"]
    )
    environment = {"PATH": os.environ["PATH"], "TOKEN": stack.described["token"]}
    ran = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert ran.returncode == 0, ran.stderr + ran.stdout[-2000:]
    job = json.loads((tmp_path / "job.json").read_text())
    ended = stack.end_of(job["id"])
    assert ended["status"] == "succeeded", ended["message"]
    assert [row["name"] for row in ended["result"]["datasets"]] == ["warmest-by-month"]
    assert "48 months" in ran.stdout
    names = [
        row["name"]
        for row in stack.call("GET", f"/api/v1/jobs/{job['id']}/artifacts/").json()["results"]
    ]
    assert "warmest.csv" in names


def test_the_jobs_run_in_their_order(stack: Stack, base: str) -> None:
    [requests] = _blocks("Models and twins", "json")
    for line in requests.splitlines():
        made = stack.call("POST", f"{base}jobs/", json=json.loads(line))
        assert made.status_code == 201, made.text
        ended = stack.end_of(made.json()["id"], seconds=120)
        assert ended["status"] == "succeeded", ended["message"]


def test_no_example_names_a_file_that_nothing_brings() -> None:
    for block in re.findall(r"^```json\n(.*?)^```$", README, re.DOTALL | re.MULTILINE):
        assert "…" not in block
