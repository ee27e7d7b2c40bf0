"""`python -m mimir.dev.clean`: end what runs here, and remove what this installation keeps, its database included.

Needs the standard library alone: the virtual environment may be gone already.
"""

import shutil
import sys

from mimir.dev.paths import Places


def main() -> int:
    """0 done, 1 a supervisor runs here."""
    places = Places.existing()
    if not places.var.exists():
        return 0
    try:
        from mimir.dev.stale_processes import end_leftovers, end_workers
        from mimir.dev.supervisor import AlreadyRuns, hold
    except ImportError:  # nothing is installed, so nothing of ours runs
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
