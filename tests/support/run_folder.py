"""The folder that the processes of one test run share: locks, and artifacts built once per run."""

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

_NAME = "MIMIR_TEST_RUN"


def choose_run_folder(before_removal: Callable[[Path], None]) -> None:
    """Create the folder, if this is the first process of the run, and remove it at its exit."""
    if _NAME in os.environ:
        return
    folder = Path(tempfile.mkdtemp(prefix="mimir-test-run-"))
    os.environ[_NAME] = str(folder)

    def remove() -> None:
        before_removal(folder)
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(remove)


def run_folder() -> Path | None:
    """Return the folder; None outside of pytest."""
    name = os.environ.get(_NAME)
    return Path(name) if name else None
