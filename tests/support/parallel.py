"""pytest plugin: distribution of the tests by `-n`.

A folder that shares one installation or browser is never divided; otherwise each file is one unit.
Tests marked `quiet` run last: earlier, each would make the other processes wait until the longest
of their running tests has ended.
"""

import os
from collections.abc import Collection
from functools import cached_property
from pathlib import Path

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests.support.run_folder import run_folder

TOGETHER = (
    "tests/browser",
    "tests/contract",
    "tests/chaos",
    "tests/worker",
    "tests/launchers",
    "tests/live",
    "tests/dev",
)
# Longest first, so that no process is left with a long one at the end.
FIRST = (
    *TOGETHER[:3],
    "tests/scenarios/test_scenarios.py",
    *TOGETHER[3:],
    "tests/logs/test_large.py",
    "tests/storage/test_installation.py",
    "tests/serving/test_slow_database.py",
    "tests/attack/test_attacks.py",
    "tests/api/test_many_jobs.py",
    "tests/monitoring/test_admin.py",
)


QUIET = "quiet"


def unit_of(node_id: str, quiet: Collection[str]) -> str:
    """Return the folder, file or mark whose tests run sequentially in one process."""
    if node_id in quiet:
        return QUIET
    path = node_id.split("::", 1)[0]
    return next((folder for folder in TOGETHER if path.startswith(f"{folder}/")), path)


class ByInstallation(LoadScopeScheduling):
    """Scheduler that assigns the next unit when a process has nearly finished its current one."""

    @cached_property
    def _quiet(self) -> frozenset[str]:
        return frozenset(_quiet_file().read_text().splitlines())

    def _split_scope(self, nodeid: str) -> str:
        return unit_of(nodeid, self._quiet)


@pytest.hookimpl
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> ByInstallation:
    config.option.loadscopereorder = False
    return ByInstallation(config, log)  # type: ignore[arg-type]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):
        quiet = {item.nodeid for item in items if item.get_closest_marker(QUIET)}
        _report_quiet(quiet)
        items.sort(key=lambda item: _place(unit_of(item.nodeid, quiet)))


def _place(unit: str) -> int:
    if unit == QUIET:
        return len(FIRST) + 1
    return FIRST.index(unit) if unit in FIRST else len(FIRST)


def _quiet_file() -> Path:
    folder = run_folder()
    assert folder is not None
    return folder / "quiet"


def _report_quiet(node_ids: Collection[str]) -> None:
    """Report tests to the scheduler, which cannot read marks. All processes report the same."""
    part = _quiet_file().with_suffix(f".{os.getpid()}")
    part.write_text("\n".join(node_ids))
    part.rename(_quiet_file())
