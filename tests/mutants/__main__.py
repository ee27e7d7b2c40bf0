"""Runs the table: a copy of the tree for each mutant, its test, and a look at how it failed. Prints one line each; exit 1 if one survives."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from mimir.dev.places import ROOT
from tests.mutants.table import TABLE, Mutant

PARTS = ("mimir", "jobs", "projects", "monitoring", "tests", "templates", "static", "manage.py", "pyproject.toml")
SECONDS_MAX = 180


def main(wanted: str) -> int:
    """The number of mutants that nobody noticed, as an exit code."""
    survivors = []
    for mutant in [each for each in TABLE if wanted in each.name]:
        began = time.monotonic()
        verdict = _verdict(mutant)
        print(f"{'killed  ' if verdict == '' else 'SURVIVED'}  {mutant.name}  ({time.monotonic() - began:.0f} s) {verdict}", flush=True)
        if verdict:
            survivors.append(mutant.name)
    print(f"{len(survivors)} of {len(TABLE)} survived" if survivors else f"all {len(TABLE)} killed")
    return 1 if survivors else 0


def _verdict(mutant: Mutant) -> str:
    """Why it counts as survived; empty when its test failed by an assertion, and passes without the change."""
    with tempfile.TemporaryDirectory(prefix="mimir-mutant-") as folder:
        tree = Path(folder)
        for part in PARTS:
            source = ROOT / part
            if source.is_dir():
                shutil.copytree(source, tree / part, ignore=shutil.ignore_patterns("__pycache__"))
            elif source.exists():
                shutil.copy(source, tree / part)
        for name, old, new in ((mutant.path, mutant.old, mutant.new), *mutant.more):
            path = tree / name
            text = path.read_text()
            if text.count(old) != 1:
                return f"its old text stands {text.count(old)} times in {name}"
            path.write_text(text.replace(old, new))
        code, output = _run(tree, mutant.test)
    if code == 0:
        return f"{mutant.test} passed"
    if "AssertionError" not in output and "\nE       assert" not in output:
        return f"{mutant.test} failed, but not by an assertion:\n{output[-2000:]}"
    return ""


def _run(tree: Path, test: str) -> tuple[int, str]:
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(tree)}
    argv = [sys.executable, "-m", "pytest", test, "-q", "-x", "--no-header"]
    done = subprocess.run(argv, cwd=tree, env=environment, capture_output=True, text=True, timeout=SECONDS_MAX)
    return done.returncode, done.stdout + done.stderr


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else ""))
