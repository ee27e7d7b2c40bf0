"""CPU and memory of the process launcher's machine: the upper bound of a job's limits there."""

import os
from collections.abc import Mapping
from dataclasses import replace
from functools import cache

from jobs.clusters.launchers.base import LauncherKind
from jobs.core.resources import Amounts, from_dict


@cache
def machine() -> Amounts:
    """Return the CPU and memory of this machine."""
    return Amounts(
        cpu_millicores=(os.cpu_count() or 1) * 1000,
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
    )


def clamped(limits: Amounts, *, launcher: str) -> Amounts:
    """Return `limits`, reduced on the process launcher to the capacity of this machine."""
    if launcher != LauncherKind.PROCESS:
        return limits
    here = machine()
    return Amounts(
        cpu_millicores=min(limits.cpu_millicores, here.cpu_millicores),
        memory_bytes=min(limits.memory_bytes, here.memory_bytes),
        gpus=limits.gpus,
    )


def attempt_limits(
    resources: Mapping[str, Mapping[str, int]], memory_limit_bytes: int | None, *, launcher: str
) -> Amounts:
    """Return the limits of an attempt, reduced on the process launcher to those of this machine.

    `resources`: of its job, whose memory may have been raised after this attempt.
    `memory_limit_bytes`: of the attempt; None for one that an older release admitted.
    """
    limits = from_dict(resources).limits
    if memory_limit_bytes is not None:
        limits = replace(limits, memory_bytes=memory_limit_bytes)
    return clamped(limits, launcher=launcher)
