"""Log lines that Mimir writes into the job's log.

They start with `mimir: `, which separates them from the output of user programs.
"""

import sys


def log(message: str) -> None:
    """Write a line to the job's log."""
    print(f"mimir: {message}", file=sys.stderr, flush=True)
