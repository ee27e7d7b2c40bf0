"""Names of connections to PostgreSQL: they identify a process and state the size of its pool.

The settings use it, so it imports neither Django nor models.
"""

import os
import socket

PREFIX = "mimir pool="
PATTERN = f"^{PREFIX}([0-9]{{1,4}}) "
_HOST_CHARACTERS = 36  # PostgreSQL cuts names after 63; the end of a pod's name is unique


def connection_name(pool_size: int) -> str:
    """Return `application_name` of this process: "mimir pool=20 host:pid"."""
    return f"{PREFIX}{pool_size} {socket.gethostname()[-_HOST_CHARACTERS:]}:{os.getpid()}"
