"""What the process launcher's machine has: a job's limits there are never more."""

import os
from functools import cache

from jobs.clusters.launchers.base import LauncherKind
from jobs.core.resources import Amounts


@cache
def machine() -> Amounts:
    """This machine's cores and memory."""
    return Amounts(
        cpu_millicores=(os.cpu_count() or 1) * 1000,
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
    )


def clamped(limits: Amounts, *, launcher: str) -> Amounts:
    """`limits`, on the process launcher cut to what the machine has."""
    if launcher != LauncherKind.PROCESS:
        return limits
    here = machine()
    return Amounts(
        cpu_millicores=min(limits.cpu_millicores, here.cpu_millicores),
        memory_bytes=min(limits.memory_bytes, here.memory_bytes),
        gpus=limits.gpus,
    )
