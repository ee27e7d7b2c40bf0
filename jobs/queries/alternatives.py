"""Changed requests that would start sooner, or at all. Pure.

They are smaller, can use any cluster, or have high priority.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from jobs.admission.forecast import ExpectedStart
from jobs.admission.hypothetical import ChangedStart, sooner_than
from jobs.admission.ledger import can_ever_hold
from jobs.admission.snapshot_types import ClusterCapacity
from jobs.contract import PRIORITIES, Priority
from jobs.core.resources import (
    CPU_MILLICORES_MIN,
    MEMORY_BYTES_MIN,
    Amounts,
    Profile,
    as_dict,
    format_cpu,
    format_memory,
    from_dict,
    request_of,
    resolve,
)
from jobs.lifecycle.submit import JobRequest
from mimir.lib.formatting import about_text, memory_text
from mimir.lib.json_types import Json, JsonObject

_MIB = 2**20


class Change(StrEnum):
    """The part of a request that an alternative changes."""

    MEMORY = "memory"
    CPU = "cpu"
    GPU = "gpu"
    SIZE = "size"  # several amounts
    PLACE = "place"
    PRIORITY = "priority"


@dataclass(frozen=True, slots=True)
class Alternative:
    """A changed request. `patch`: the changed fields, as a JSON merge patch of the request."""

    change: Change
    patch: JsonObject
    request: JobRequest


def alternatives(
    request: JobRequest, profile: Profile, usable: Sequence[ClusterCapacity]
) -> tuple[Alternative, ...]:
    """Return changed requests. For each part, the smaller change comes first.

    `profile`: defaults of the job type. `usable`: the clusters that the request can use. A smaller
    limit that reserves the same capacity is not returned: the job would not start sooner.
    """
    return (
        *_fitting(request, profile, usable),
        *_smaller(request, profile),
        *_elsewhere(request),
    )


def retry_memory_limit(
    request: JobRequest, profile: Profile, usable: Sequence[ClusterCapacity]
) -> int | None:
    """Return the largest memory limit, in bytes, of a retry that a cluster can hold.

    None if `memory_max` is not set or does not exceed it.
    """
    most = request.amounts.memory_max_bytes
    if most is None:
        return None
    held = request_of(most, profile.requests.memory_bytes, profile.limits.memory_bytes)
    before = from_dict(request.resources).requests
    largest = [each.memory_bytes for each in usable if can_ever_hold(each, before)]
    known = [memory for memory in largest if memory is not None]
    if len(known) < len(largest) or held <= max(known, default=held):
        return None
    return max(known)


def chosen(
    offered: Sequence[Alternative], starts: Sequence[ChangedStart]
) -> list[tuple[Alternative, ExpectedStart | None]]:
    """Return the alternatives to offer, each with its expected start.

    None: the start is unknown, but a cluster can hold the changed request, and none can hold the
    original one. A further alternative of the same change must start clearly sooner than the one
    before.
    """
    found: list[tuple[Alternative, ExpectedStart | None]] = []
    best: dict[Change, float] = {}
    for alternative, changed in zip(offered, starts, strict=True):
        start, before = changed.start, best.get(alternative.change)
        after = math.inf if start is None else start.after_seconds
        if start is None:
            is_offered = changed.is_only_way and before is None
        else:
            is_offered = before is None or after <= sooner_than(before)
        if is_offered:
            best[alternative.change] = after
            found.append((alternative, start))
    return found


def describe_start(alternative: Alternative, start: ExpectedStart | None) -> str:
    """Return one sentence with the change and the expected start."""
    if start is None:
        return f"{_condition(alternative)} a cluster can hold it. Its start is not known."
    when = (
        f"now on {start.cluster}"
        if start.after_seconds == 0
        else f"in about {about_text(start.after_seconds)}"
    )
    return f"{_condition(alternative)} it would start {when}."


def _condition(alternative: Alternative) -> str:
    limits = from_dict(alternative.request.resources).limits
    match alternative.change:
        case Change.MEMORY | Change.CPU | Change.GPU | Change.SIZE:
            return _amounts(limits, alternative.patch["resources"])
        case Change.PLACE:
            return "On any cluster"
        case Change.PRIORITY:
            return f"With {alternative.request.priority} priority"


def _amounts(limits: Amounts, changed: Json) -> str:
    """Return the changed limits, such as `With 16 GiB of memory, without a GPU`."""
    names = changed if isinstance(changed, dict) else {}
    gpus = limits.gpus
    parts = [
        f"with {memory_text(limits.memory_bytes)} of memory" if "memory" in names else "",
        f"with {format_cpu(limits.cpu_millicores)} CPU" if "cpu" in names else "",
        (f"with {gpus} GPU{'s' * (gpus > 1)}" if gpus else "without a GPU")
        if "gpu" in names
        else "",
    ]
    text = ", ".join(part for part in parts if part)
    return text[:1].upper() + text[1:]


def _fitting(
    request: JobRequest, profile: Profile, usable: Sequence[ClusterCapacity]
) -> Iterator[Alternative]:
    """Yield the request reduced to what one cluster can hold, if none can hold it unchanged.

    Prefers enabled and reachable clusters, then the fewest changes, then the largest cluster.
    """
    before = from_dict(request.resources)
    if any(can_ever_hold(each, before.requests) for each in usable):
        return
    found = [
        (not each.open, len(changes), limits, changes)
        for each in usable
        if each.jobs >= 1
        for limits, changes in [_within(before, each)]
        if limits.memory_bytes >= MEMORY_BYTES_MIN and limits.cpu_millicores >= CPU_MILLICORES_MIN
    ]
    if not found:
        return
    *_rank, limits, changes = min(
        found,
        key=lambda one: (
            *one[:2],
            -one[2].memory_bytes,
            -one[2].cpu_millicores,
            -one[2].gpus,
        ),
    )
    resources: JsonObject = {name: value for name, value in _quantities(limits) if name in changes}
    change = Change(changes[0]) if len(changes) == 1 else Change.SIZE
    yield _resized(request, profile, change, limits, resources)


def _within(before: Profile, capacity: ClusterCapacity) -> tuple[Amounts, list[str]]:
    """Return limits that the cluster can hold, and the names of those that are lower."""
    limits = before.limits
    changes: list[str] = []
    most = capacity.memory_bytes
    if most is not None and before.requests.memory_bytes > most:
        limits = replace(limits, memory_bytes=most // _MIB * _MIB)
        changes.append("memory")
    most = capacity.cpu_millicores
    if most is not None and before.requests.cpu_millicores > most:
        limits = replace(limits, cpu_millicores=most)
        changes.append("cpu")
    if before.requests.gpus > capacity.gpus:
        limits = replace(limits, gpus=capacity.gpus)
        changes.append("gpu")
    return limits, changes


def _quantities(limits: Amounts) -> list[tuple[str, str | int]]:
    return [
        ("memory", format_memory(limits.memory_bytes)),
        ("cpu", format_cpu(limits.cpu_millicores)),
        ("gpu", limits.gpus),
    ]


def _resized(
    request: JobRequest, profile: Profile, change: Change, limits: Amounts, resources: JsonObject
) -> Alternative:
    """Return the request with other limits. `resources`: the changed ones."""
    resolved = resolve(dict(_quantities(limits)), profile)
    changed = replace(request, amounts=replace(request.amounts, stored=as_dict(resolved)))
    return Alternative(change, {"resources": resources}, changed)


def _smaller(request: JobRequest, profile: Profile) -> Iterator[Alternative]:
    """Yield the request with half and a quarter of its memory, half of its CPU, and no GPU."""
    before = from_dict(request.resources)
    limits = before.limits
    memory = [limits.memory_bytes // part // _MIB * _MIB for part in (2, 4)]
    cpu = limits.cpu_millicores // 2
    smaller: list[tuple[Change, Amounts, JsonObject]] = [
        (Change.MEMORY, replace(limits, memory_bytes=size), {"memory": format_memory(size)})
        for size in memory
        if size >= MEMORY_BYTES_MIN
    ]
    if cpu >= CPU_MILLICORES_MIN:
        smaller.append((Change.CPU, replace(limits, cpu_millicores=cpu), {"cpu": format_cpu(cpu)}))
    if limits.gpus:
        smaller.append((Change.GPU, replace(limits, gpus=0), {"gpu": 0}))
    for change, amounts, resources in smaller:
        resized = _resized(request, profile, change, amounts, resources)
        if from_dict(resized.request.resources).requests != before.requests:
            yield resized


def _elsewhere(request: JobRequest) -> Iterator[Alternative]:
    """Yield the request for any cluster, and with high priority."""
    if request.cluster or request.region:
        patch: JsonObject = {"cluster": None, "region": None}
        yield Alternative(Change.PLACE, patch, replace(request, cluster="", region=""))
    if PRIORITIES.index(request.priority) > PRIORITIES.index(Priority.HIGH):
        changed = replace(request, priority=Priority.HIGH)
        yield Alternative(Change.PRIORITY, {"priority": Priority.HIGH.value}, changed)
