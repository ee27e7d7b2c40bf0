"""Run the table: for each mutant, copy the tree, run its test, and check how it fails.

Prints one line each; exits with 1 if a mutant survives. The tests must first pass in an unchanged
copy: a test that always fails would kill every mutant.
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
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
PROCESSES = int(os.environ.get("PROCESSES") or 2)  # number of concurrent mutants
SECONDS_MAX = 180  # of one test
UNBROKEN_SECONDS_MAX = 900  # of all tests together
END_SECONDS = 10  # limit for a test run to stop its servers
_running: set["subprocess.Popen[str]"] = set()


def main(wanted: str) -> int:
    """Return 1 if a mutant survived or a test fails without any, as an exit code."""
    chosen = [each for each in TABLE if wanted in each.name]
    broken = _fail_unbroken(chosen)
    if broken:
        print(f"these tests fail without any mutant:\n{broken}")
        return 1
    survivors = []
    pool = ThreadPoolExecutor(PROCESSES)
    try:
        for done in as_completed(pool.submit(_timed_verdict, mutant) for mutant in chosen):
            name, verdict, seconds = done.result()
            print(
                f"{'SURVIVED' if verdict else 'killed  '}  {name}  ({seconds:.0f} s) {verdict}",
                flush=True,
            )
            if verdict:
                survivors.append(name)
    finally:  # on Ctrl-C and SIGTERM, too: end all tests
        pool.shutdown(wait=False, cancel_futures=True)
        for process in list(_running):
            _end(process)
    print(
        f"{len(survivors)} of {len(chosen)} survived" if survivors else f"all {len(chosen)} killed"
    )
    return 1 if survivors else 0


def _fail_unbroken(chosen: list[Mutant]) -> str:
    """Return the output of tests that fail without a mutant; empty if all pass."""
    with tempfile.TemporaryDirectory(prefix="mimir-mutant-") as folder:
        _copy(Path(folder))
        tests = sorted({mutant.test for mutant in chosen})
        code, output = _run(
            Path(folder), "-n", str(PROCESSES), *tests, seconds_max=UNBROKEN_SECONDS_MAX
        )
    return output[-3000:] if code else ""


def _copy(tree: Path) -> None:
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, tree / part, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.exists():
            shutil.copy(source, tree / part)


def _timed_verdict(mutant: Mutant) -> tuple[str, str, float]:
    """Return the mutant's name, its verdict and the seconds that it took."""
    began = time.monotonic()
    return mutant.name, _verdict(mutant), time.monotonic() - began


def _verdict(mutant: Mutant) -> str:
    """Return why the mutant survived; empty if its test failed with an assertion."""
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
    """Return whether the summary reports an assertion of this test itself.

    Import errors, timeouts and errors of fixtures do not count.
    """
    line = rf"^FAILED {re.escape(test)}(\[.*\])? - (assert |AssertionError|Failed: DID NOT RAISE)"
    return re.search(line, output, re.MULTILINE) is not None


def _run(tree: Path, *arguments: str, seconds_max: float = SECONDS_MAX) -> tuple[int, str]:
    """Run pytest in a tree; return its exit code and output."""
    environment = {
        **os.environ,
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": str(tree),
        "COLUMNS": "400",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", *arguments, "-q", "-x", "--no-header"],
        cwd=tree,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    _running.add(process)
    try:
        output, _ = process.communicate(timeout=seconds_max)
    except subprocess.TimeoutExpired:
        return 1, f"no end within {seconds_max:.0f} s"
    finally:
        _end(process)
        _running.discard(process)
    return process.returncode, output


def _end(process: "subprocess.Popen[str]") -> None:
    """End a test run and the servers that it started, which are in its process group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else ""))
