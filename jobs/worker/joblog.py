"""Lines of the workload's log that Mimir itself writes: they begin with `mimir: `, so that people tell them from a program's own output."""

import sys


def log(message: str) -> None:
    """Write a line to the job's log."""
    print(f"mimir: {message}", file=sys.stderr, flush=True)
