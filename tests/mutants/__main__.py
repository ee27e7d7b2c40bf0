"""Runs the table: a copy of the tree for each mutant, its test, and a look at how it failed. Prints
one line each; exit 1 if one survives.

The tests have to pass in an unbroken copy first: one that always fails would seem to notice
everything.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from mimir.dev.paths import ROOT
from tests.mutants.mutant import Mutant
from tests.mutants.table import TABLE

PARTS = (
    "mimir",
    "jobs",
    "projects",
    "monitoring",
    "tests",
    "templates",
    "static",
    "manage.py",
    "pyproject.toml",
)
SECONDS_MAX = 180  # of one test
UNBROKEN_SECONDS_MAX = 900  # of all tests together


def main(wanted: str) -> int:
    """The number of mutants that nobody noticed, as an exit code."""
    chosen = [each for each in TABLE if wanted in each.name]
    broken = _fail_unbroken(chosen)
    if broken:
        print(f"these tests fail without any mutant:\n{broken}")
        return 1
    survivors = []
    for mutant in chosen:
        began = time.monotonic()
        verdict = _verdict(mutant)
        print(
            f"{'killed  ' if verdict == '' else 'SURVIVED'}  {mutant.name}  "
            f"({time.monotonic() - began:.0f} s) {verdict}",
            flush=True,
        )
        if verdict:
            survivors.append(mutant.name)
    print(
        f"{len(survivors)} of {len(chosen)} survived" if survivors else f"all {len(chosen)} killed"
    )
    return 1 if survivors else 0


def _fail_unbroken(chosen: list[Mutant]) -> str:
    """Return the output of tests that fail without a mutant; empty if all pass."""
    with tempfile.TemporaryDirectory(prefix="mimir-mutant-") as folder:
        _copy(Path(folder))
        tests = sorted({mutant.test for mutant in chosen})
        code, output = _run(Path(folder), *tests, seconds_max=UNBROKEN_SECONDS_MAX)
    return output[-3000:] if code else ""


def _copy(tree: Path) -> None:
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, tree / part, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.exists():
            shutil.copy(source, tree / part)


def _verdict(mutant: Mutant) -> str:
    """Why it counts as survived; empty when its test failed by an assertion."""
    with tempfile.TemporaryDirectory(prefix="mimir-mutant-") as folder:
        tree = Path(folder)
        _copy(tree)
        for name, old, new in ((mutant.path, mutant.old, mutant.new), *mutant.more):
            path = tree / name
            text = path.read_text()
            if text.count(old) != 1:
                return f"its old text stands {text.count(old)} times in {name}"
            path.write_text(text.replace(old, new))
        code, output = _run(tree, mutant.test)
    if code == 0:
        return f"{mutant.test} passed"
    if not _by_assertion(mutant.test, output):
        return f"{mutant.test} failed, but not by an assertion:\n{output[-2000:]}"
    return ""


def _by_assertion(test: str, output: str) -> bool:
    """Whether the summary says that this test itself failed by an assertion.

    No import error, no time-out, no fixture's error.
    """
    line = rf"^FAILED {re.escape(test)}(\[.*\])? - (assert |AssertionError|Failed: DID NOT RAISE)"
    return re.search(line, output, re.MULTILINE) is not None


def _run(tree: Path, *tests: str, seconds_max: float = SECONDS_MAX) -> tuple[int, str]:
    environment = {
        **os.environ,
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": str(tree),
        "COLUMNS": "400",
    }
    argv = [sys.executable, "-m", "pytest", *tests, "-q", "-x", "--no-header"]
    try:
        done = subprocess.run(
            argv, cwd=tree, env=environment, capture_output=True, text=True, timeout=seconds_max
        )
    except subprocess.TimeoutExpired:
        return 1, f"no end within {seconds_max:.0f} s"
    return done.returncode, done.stdout + done.stderr


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else ""))
