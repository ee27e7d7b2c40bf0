"""Output of the demo."""

import json
import re
from pathlib import Path

import pytest

from mimir.dev.__main__ import _say_where
from mimir.dev.demo import lineage_lines
from mimir.dev.paths import ROOT, Places


def test_the_lineage_is_printed_in_the_order_in_which_jobs_built_on_each_other() -> None:
    types = {"job:3": "ml_inference", "job:1": "pipeline_execution", "job:2": "ml_training"}
    nodes = [{"id": job, "job_type": kind} for job, kind in types.items()]
    nodes += [
        {"id": name} for name in ("dataset:days@1", "dataset:raw@1", "model:m@1", "dataset:out@1")
    ]
    edges = [
        {"from": "job:3", "to": "dataset:out@1"},
        {"from": "model:m@1", "to": "job:3"},
        {"from": "dataset:days@1", "to": "job:2"},
        {"from": "job:1", "to": "dataset:days@1"},
        {"from": "job:2", "to": "model:m@1"},
        {"from": "dataset:raw@1", "to": "job:1"},
        {"from": "dataset:days@1", "to": "job:3"},
    ]
    assert lineage_lines(nodes, edges) == [
        "dataset:raw@1 > pipeline_execution > dataset:days@1",
        "dataset:days@1 > ml_training > model:m@1",
        "dataset:days@1, model:m@1 > ml_inference > dataset:out@1",
    ]
    assert lineage_lines(
        [{"id": "job:1", "job_type": "x"}],
        [{"from": "a", "to": "job:1"}, {"from": "job:1", "to": "a"}],
    ) == ["a > x > a"]


@pytest.mark.parametrize(
    ("ends", "expected"), [(True, "`make up` starts it again"), (False, "Ctrl-C stops it")]
)
def test_the_last_lines_name_address_user_password_and_next_steps(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], ends: bool, expected: str
) -> None:
    places = Places(tmp_path)
    places.demo.parent.mkdir(parents=True, exist_ok=True)
    places.demo.write_text(
        json.dumps(
            {
                "frontend_url": "http://localhost:3000",
                "username": "admin",
                "password": "the-password",
            }
        )
    )
    _say_where(places, ends=ends)
    printed = capsys.readouterr().out
    for part in ("http://localhost:3000", "admin   the-password", str(places.demo), expected):
        assert part in printed


def test_what_the_installation_takes_is_said_before_it_begins() -> None:
    """The Makefile prints the disk space and duration before it installs; the README agrees."""
    makefile, readme = (ROOT / "Makefile").read_text(), (ROOT / "README.md").read_text()
    rule = (
        makefile[makefile.index("$(VENV)/.laptop: requirements/laptop.txt") :]
        .split("\n\n")[0]
        .splitlines()
    )
    said = re.search(r"about ([0-9.]+) GB on disk, mostly in less than a minute", rule[1])
    assert said, rule
    assert " -q" not in rule[2]  # uv shows its progress
    assert f"({said[1]} GB of it the virtual environment)" in readme
