"""`python -m tests.benchmarks [start] [offsets] [api] [joblist] [inference]`: one installation, each benchmark on it in turn."""

import os
import sys
import tempfile
from pathlib import Path

from tests.benchmarks import api, inference, joblist, offsets, start
from tests.support.stack import running

BENCHMARKS = {"start": start.measure, "offsets": offsets.measure, "api": api.measure, "joblist": joblist.measure, "inference": inference.measure}


def main(names: list[str]) -> int:
    """0 measured, 2 an unknown name."""
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        print(f"there is no benchmark {unknown[0]}: choose from {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before the start")
    with tempfile.TemporaryDirectory(prefix="mimir-bench-") as folder:
        for stack in running(Path(folder), MIMIR_DURABLE="1"):
            for name in names or BENCHMARKS:
                BENCHMARKS[name](stack)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
