"""Every code block of README and docs runs as printed, or has a reason and a replacing check."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from mimir.lib import sample
from tests.docs.blocks import LANGUAGES, PAGES, ROOT, Block, blocks
from tests.docs.checked import NOT_RUN, exception_of
from tests.support.stack import Stack

Job = dict[str, Any]


class Ran(NamedTuple):
    """The ended jobs of a page, and the output of its shell blocks."""

    jobs: list[Job]
    output: str


RUN_SECONDS = 280  # the limit for a loaded machine; a page takes a few seconds
pytestmark = pytest.mark.timeout(300)
ALL = [block for page in PAGES for block in blocks(page)]
CHECKED = [block for block in ALL if exception_of(block)]
RUN_PAGES = sorted({block.page for block in ALL if exception_of(block) is None})


def test_every_block_names_its_language() -> None:
    assert [block for block in ALL if block.language not in LANGUAGES] == []


def test_every_exception_belongs_to_a_block() -> None:
    assert set(NOT_RUN) <= {(block.page, block.first) for block in ALL}


def test_the_readme_and_the_guides_have_blocks_that_run() -> None:
    assert {"README.md", "docs/tutorial/first-model.md", "docs/how-to/use-the-api.md"} <= set(
        RUN_PAGES
    )


@pytest.mark.parametrize("block", CHECKED, ids=lambda block: f"{block.page}:{block.line}")
def test_a_block_that_is_not_run_is_checked(block: Block) -> None:
    found = exception_of(block)
    assert found is not None
    found[1](block)


@pytest.fixture(scope="module")
def runs(
    stack: Stack, demo: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[Ran]]]:
    """Run each page. Several pages run at once; the blocks of one page run in order."""
    with ThreadPoolExecutor(3) as pool:
        yield {
            page: pool.submit(_run, stack, demo, page, tmp_path_factory.mktemp("page"))
            for page in RUN_PAGES
        }


@pytest.mark.parametrize("page", RUN_PAGES)
def test_the_blocks_of_a_page_run_in_order(page: str, runs: dict[str, Future[Ran]]) -> None:
    for job in runs[page].result(timeout=RUN_SECONDS).jobs:
        assert job["status"] == "succeeded", job["message"]


def test_the_readme_writes_the_dataset_and_the_file_it_names(
    stack: Stack, runs: dict[str, Future[Ran]]
) -> None:
    for job in runs["README.md"].result(timeout=RUN_SECONDS).jobs:
        assert [row["name"] for row in job["result"]["datasets"]] == ["warmest-by-month"]
        stack.assert_whole_log(job["id"])
        assert "48 months" in stack.log(job["id"]).text
        files = stack.call("GET", f"/api/v1/jobs/{job['id']}/artifacts/").json()["results"]
        assert "warmest.csv" in [row["name"] for row in files]


@pytest.mark.parametrize(
    ("example", "expected"),
    [
        ("csv-training", "flat,prediction\nF1,"),
        ("sql-pipeline", "month,country,revenue,orders\n2026-01,DE,"),
        ("digital-twin", "P2: 1.9 bar, reported: 0.0\n"),
    ],
)
def test_an_example_prints_its_result(
    example: str, expected: str, runs: dict[str, Future[Ran]]
) -> None:
    output = runs[f"examples/{example}/README.md"].result(timeout=RUN_SECONDS).output
    assert expected in output.replace("\r", "")


def test_every_example_has_a_page_that_runs_its_script() -> None:
    for script in (ROOT / "examples").glob("*/run.py"):
        page = f"examples/{script.parent.name}/README.md"
        assert f"python3 {script.relative_to(ROOT)}" in (ROOT / page).read_text()
        assert page in RUN_PAGES


def _run(stack: Stack, demo: str, page: str, folder: Path) -> Ran:
    """Run the blocks of a page.

    Pages of examples/ run in the repository. JSON is submitted to the demo's project;
    shell blocks share a folder and their variables.
    """
    for name in ("weather.csv", sample.FILE.name):
        (folder / name).write_bytes(sample.FILE.read_bytes())
    script = "set -euo pipefail\n"
    jobs: list[Job] = []
    for block in blocks(page):
        if exception_of(block) is not None:
            continue
        if block.language == "json":
            jobs += _submit(stack, demo, block, folder)
        else:
            assert block.language == "bash", block
            script += block.text.replace("http://localhost:3000", stack.described["frontend_url"])
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"  # python3 with httpx
    environment = {"PATH": path, "TOKEN": stack.described["token"], "PYTHONDONTWRITEBYTECODE": "1"}
    ran = subprocess.run(
        ["bash", "-c", script],
        cwd=ROOT if page.startswith("examples/") else folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
    )
    assert ran.returncode == 0, ran.stderr + ran.stdout[-2000:]
    return Ran(jobs + [stack.end_of(job, RUN_SECONDS) for job in _saved_jobs(folder)], ran.stdout)


def _submit(stack: Stack, demo: str, block: Block, folder: Path) -> list[Job]:
    """Run a pipeline's definition, or job requests of one line each."""
    if block.text.startswith('{"steps"'):
        (folder / "pipeline.json").write_text(block.text)
        name = f"{Path(block.page).stem.lower()}-{block.line}"
        body: dict[str, Any] = {"name": name, "definition": json.loads(block.text)}
        saved = stack.call("POST", f"{demo}pipelines/", json=body)
        assert saved.status_code in (200, 201), saved.text
        requests = [{"type": "pipeline_execution", "parameters": {"pipeline": name}}]
    else:
        requests = [json.loads(line) for line in block.text.splitlines()]
    ended = []
    for request in requests:  # each may use the results of the previous one
        job = stack.call("POST", f"{demo}jobs/", json=request)
        assert job.status_code == 201, job.text
        ended.append(stack.end_of(job.json()["id"], RUN_SECONDS))
    return ended


def _saved_jobs(folder: Path) -> list[str]:
    """Return the ids of the jobs whose response a shell block saved."""
    saved = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    return [job["id"] for job in saved if isinstance(job, dict) and "parameters" in job]
