"""`python -m mimir.dev.clean`: end all processes and remove all data of this installation.

Standard library only: the virtual environment can be missing.
"""

import shutil
import sys

from mimir.dev.paths import Places


def main() -> int:
    """Return 0 when done, 1 while a supervisor runs."""
    places = Places.existing()
    if not places.var.exists():
        return 0
    try:
        from mimir.dev.stale_processes import end_leftovers, end_workers
        from mimir.dev.supervisor import AlreadyRuns, hold
    except ImportError:  # nothing is installed, so nothing can run
        pass
    else:
        try:
            lock = hold(places.lock)
        except AlreadyRuns as error:
            print(error, file=sys.stderr)
            return 1
        end_leftovers(places)
        end_workers(places)
        lock.close()
    if places.identity:
        shutil.rmtree(places.database_home, ignore_errors=True)
    shutil.rmtree(places.var)
    return 0


if __name__ == "__main__":
    sys.exit(main())
