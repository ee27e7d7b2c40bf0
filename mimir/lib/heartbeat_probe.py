"""`python -I -S heartbeat_probe.py FILE SECONDS`: liveness probe of a loop.

The loop touches FILE after each heartbeat row. The probe runs as a file and without site-packages:
it costs one bare start of Python, no connection and no query.
"""

import os
import sys
import time


def problem(path: str, seconds: float, now: float) -> str:
    """Return the problem; an empty string if `path` was touched in the last `seconds`.

    `now`: seconds since the epoch.
    """
    try:
        age = now - os.stat(path).st_mtime
    except OSError as error:
        return f"There is no heartbeat in {path} yet ({error.strerror})."
    return (
        f"The last heartbeat in {path} is {age:.0f} seconds old; {seconds:.0f} are allowed."
        if age > seconds
        else ""
    )


if __name__ == "__main__":
    sys.exit(problem(sys.argv[1], float(sys.argv[2]), time.time()) or 0)
