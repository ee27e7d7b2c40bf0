"""`python -m tests.benchmarks [NAME ...]`: run all benchmarks, or the named ones.

They run one after another on one installation.
"""

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks import admission, api, inference, joblist, launching, offsets, scale, start
from tests.support.stack import Stack, running

BENCHMARKS: dict[str, Callable[[Stack], None]] = {
    "start": start.measure,
    "offsets": offsets.measure,
    "api": api.measure,
    "joblist": joblist.measure,
    "inference": inference.measure,
    "admission": admission.measure,
}

ALONE = {"launching": launching.measure, "scale": scale.measure}  # on installations of their own


def main(names: list[str]) -> int:
    """Run the benchmarks. Exit code: 0 measured, 2 unknown name."""
    unknown = [name for name in names if name not in BENCHMARKS and name not in ALONE]
    if unknown:
        print(
            f"there is no benchmark {unknown[0]}: choose from {', '.join([*BENCHMARKS, *ALONE])}",
            file=sys.stderr,
        )
        return 2
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before the start")
    selected = names or [*BENCHMARKS, "launching"]  # "scale" takes hours
    if any(name in BENCHMARKS for name in selected):
        _on_one_installation([name for name in selected if name in BENCHMARKS])
    for name in selected:
        if name in ALONE:
            ALONE[name]()
    return 0


def _on_one_installation(names: list[str]) -> None:
    with tempfile.TemporaryDirectory(prefix="mimir-bench-") as folder:
        for stack in running(Path(folder), MIMIR_DURABLE="1"):
            for name in names:
                BENCHMARKS[name](stack)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
