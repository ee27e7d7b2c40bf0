"""Policy for the memory of the attempt after one that ran out of memory. Pure.

A job with `memory_max` returns to the queue with twice the memory, up to `memory_max`.
"""

from dataclasses import dataclass, replace

from jobs.core.resources import Profile, request_of


@dataclass(frozen=True, slots=True)
class MemoryRaise:
    """Increase of a job's memory, in bytes. `amounts`: requests and limits of the next attempt."""

    ran_with_bytes: int
    next_bytes: int
    max_bytes: int
    amounts: Profile


def memory_raise(
    current: Profile, usual: Profile, *, ran_with_bytes: int, memory_max_bytes: int | None
) -> MemoryRaise | None:
    """Return the increase after an attempt that ran out of memory; None if there is none.

    `current`: amounts in the job's row. `usual`: defaults of its type. `ran_with_bytes`: limit of
    the ended attempt. The new limit depends on that attempt only: a second call for the same
    attempt finds the limit already raised and returns None.
    """
    if memory_max_bytes is None:
        return None
    limit = min(2 * ran_with_bytes, memory_max_bytes)
    if limit <= current.limits.memory_bytes:
        return None
    request = request_of(limit, usual.requests.memory_bytes, usual.limits.memory_bytes)
    amounts = Profile(
        requests=replace(
            current.requests, memory_bytes=max(request, current.requests.memory_bytes)
        ),
        limits=replace(current.limits, memory_bytes=limit),
    )
    return MemoryRaise(ran_with_bytes, limit, memory_max_bytes, amounts)
