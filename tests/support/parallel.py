"""A pytest plugin.

How `-n` divides the tests. A folder that shares one installation or browser is never divided; else
each file goes by itself.
"""

import pytest
from xdist.scheduler import LoadScopeScheduling

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
)


def unit_of(node_id: str) -> str:
    """The folder or file whose tests run one after another in one process."""
    path = node_id.split("::", 1)[0]
    return next((folder for folder in TOGETHER if path.startswith(f"{folder}/")), path)


class ByInstallation(LoadScopeScheduling):
    """Gives a process the next unit when it has nearly finished its last."""

    def _split_scope(self, nodeid: str) -> str:
        return unit_of(nodeid)


@pytest.hookimpl
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> ByInstallation:
    config.option.loadscopereorder = False
    return ByInstallation(config, log)  # type: ignore[arg-type]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: _place(unit_of(item.nodeid)))


def _place(unit: str) -> int:
    return FIRST.index(unit) if unit in FIRST else len(FIRST)
