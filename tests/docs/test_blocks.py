"""Every code block of README and docs runs as printed, or has a reason not to and another check."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from mimir.lib import sample
from tests.docs.blocks import LANGUAGES, PAGES, Block, blocks
from tests.docs.checked import NOT_RUN, exception_of
from tests.support.stack import Stack

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


@pytest.mark.parametrize("page", RUN_PAGES)
def test_the_blocks_of_a_page_run_in_order(
    page: str, stack: Stack, demo: str, tmp_path: Path
) -> None:
    """JSON is submitted to the demo's project; shell blocks share a folder and their variables."""
    for name in ("weather.csv", sample.FILE.name):
        (tmp_path / name).write_bytes(sample.FILE.read_bytes())
    script = "set -euo pipefail\n"
    for block in blocks(page):
        if exception_of(block) is not None:
            continue
        if block.language == "json":
            _submit(stack, demo, block, tmp_path)
        else:
            assert block.language == "bash", block
            script += block.text.replace("http://localhost:3000", stack.described["frontend_url"])
    environment = {"PATH": os.environ["PATH"], "TOKEN": stack.described["token"]}
    ran = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert ran.returncode == 0, ran.stderr + ran.stdout[-2000:]
    _assert_jobs_succeeded(stack, tmp_path)


def _submit(stack: Stack, demo: str, block: Block, folder: Path) -> None:
    """Run a pipeline's definition, or job requests of one line each; all must succeed."""
    if block.text.startswith('{"steps"'):
        (folder / "pipeline.json").write_text(block.text)
        body: dict[str, Any] = {"name": f"block-{block.line}", "definition": json.loads(block.text)}
        saved = stack.call("POST", f"{demo}pipelines/", json=body)
        assert saved.status_code in (200, 201), saved.text
        parameters = {"pipeline": body["name"]}
        requests = [{"type": "pipeline_execution", "parameters": parameters}]
    else:
        requests = [json.loads(line) for line in block.text.splitlines()]
    for request in requests:
        job = stack.call("POST", f"{demo}jobs/", json=request)
        assert job.status_code == 201, job.text
        ended = stack.end_of(job.json()["id"])
        assert ended["status"] == "succeeded", (block, ended["message"])


def _assert_jobs_succeeded(stack: Stack, folder: Path) -> None:
    """Jobs whose description a block saved have succeeded."""
    for path in folder.glob("*.json"):
        saved = json.loads(path.read_text())
        if isinstance(saved, dict) and "parameters" in saved and "id" in saved:
            ended = stack.end_of(saved["id"])
            assert ended["status"] == "succeeded", (path.name, ended["message"])


def test_the_readme_writes_the_dataset_and_the_file_it_names(stack: Stack, demo: str) -> None:
    """Runs the first pipeline of the README and reads what it wrote."""
    [definition] = [block.text for block in blocks("README.md") if block.language == "json"]
    body = {"name": "readme", "definition": json.loads(definition)}
    assert stack.call("POST", f"{demo}pipelines/", json=body).status_code == 201
    request = {"type": "pipeline_execution", "parameters": {"pipeline": "readme"}}
    job = stack.call("POST", f"{demo}jobs/", json=request).json()["id"]
    ended = stack.end_of(job)
    assert [row["name"] for row in ended["result"]["datasets"]] == ["warmest-by-month"]
    stack.assert_whole_log(job)
    assert "48 months" in stack.log(job).text
    files = stack.call("GET", f"/api/v1/jobs/{job}/artifacts/").json()["results"]
    assert "warmest.csv" in [row["name"] for row in files]
