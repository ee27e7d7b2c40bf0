"""`make attack`.

Runs every attack on a separate installation. Exit code 1 when a value is over its limit.
"""

import sys
import tempfile
from pathlib import Path

from tests.attack.attacks import ATTACKS
from tests.attack.run import attacked, table
from tests.support.stack import running


def main(names: list[str]) -> int:
    """Run the named attacks, or all."""
    unknown = [name for name in names if name not in ATTACKS]
    if unknown:
        print(f"unknown: {', '.join(unknown)}; there are {', '.join(ATTACKS)}")
        return 2
    with tempfile.TemporaryDirectory(prefix="mimir-attack-") as folder:
        for stack in running(Path(folder)):
            idle, rows = attacked(
                stack,
                names or ATTACKS,
                idle_seconds=10,
                hold_seconds=25,
                settle_seconds=15,
                reads=50,
            )
            print(table(idle, rows))
    return int(any(row.over for row in rows))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
