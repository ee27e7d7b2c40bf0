"""Changed requests that may start sooner: smaller, elsewhere, or with a higher priority. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from jobs.admission.forecast import ExpectedStart
from jobs.admission.hypothetical import sooner_than
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
    resolve,
)
from jobs.lifecycle.submit import JobRequest
from mimir.lib.formatting import about_text, memory_text
from mimir.lib.json_types import JsonObject

_MIB = 2**20


class Change(StrEnum):
    """The part of a request that an alternative changes."""

    MEMORY = "memory"
    CPU = "cpu"
    GPU = "gpu"
    PLACE = "place"
    PRIORITY = "priority"


@dataclass(frozen=True, slots=True)
class Alternative:
    """A changed request. `patch`: the changed fields, as a JSON merge patch of the request."""

    change: Change
    patch: JsonObject
    request: JobRequest


def alternatives(request: JobRequest, profile: Profile) -> tuple[Alternative, ...]:
    """Return changed requests; of those that change the same part the smaller change comes first.

    `profile`: defaults of the job type. A smaller limit that reserves the same capacity is not
    returned: it changes no start.
    """
    return (
        *_smaller(request, profile),
        *_elsewhere(request),
    )


def chosen(
    offered: Sequence[Alternative], starts: Sequence[ExpectedStart | None]
) -> list[tuple[Alternative, ExpectedStart]]:
    """Return the alternatives with a start.

    A further alternative of the same change must start clearly sooner than the one before.
    """
    found: list[tuple[Alternative, ExpectedStart]] = []
    best: dict[Change, float] = {}
    for alternative, start in zip(offered, starts, strict=True):
        before = best.get(alternative.change)
        if start is None or (before is not None and start.after_seconds > sooner_than(before)):
            continue
        best[alternative.change] = start.after_seconds
        found.append((alternative, start))
    return found


def describe_start(alternative: Alternative, start: ExpectedStart) -> str:
    """Return the sentence about an alternative."""
    when = (
        f"now on {start.cluster}"
        if start.after_seconds == 0
        else f"in about {about_text(start.after_seconds)}"
    )
    return f"{_condition(alternative)} it would start {when}."


def _condition(alternative: Alternative) -> str:
    limits = from_dict(alternative.request.resources).limits
    match alternative.change:
        case Change.MEMORY:
            return f"With {memory_text(limits.memory_bytes)} of memory"
        case Change.CPU:
            return f"With {format_cpu(limits.cpu_millicores)} CPU"
        case Change.GPU:
            return "Without a GPU"
        case Change.PLACE:
            return "On any cluster"
        case Change.PRIORITY:
            return f"With {alternative.request.priority} priority"


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
        resolved = resolve(
            {
                "cpu": format_cpu(amounts.cpu_millicores),
                "memory": format_memory(amounts.memory_bytes),
                "gpu": amounts.gpus,
            },
            profile,
        )
        if resolved.requests != before.requests:
            held = replace(request.amounts, stored=as_dict(resolved))
            changed = replace(request, amounts=held)
            yield Alternative(change, {"resources": resources}, changed)


def _elsewhere(request: JobRequest) -> Iterator[Alternative]:
    """Yield the request for any cluster, and with high priority."""
    if request.cluster or request.region:
        patch: JsonObject = {"cluster": None, "region": None}
        yield Alternative(Change.PLACE, patch, replace(request, cluster="", region=""))
    if PRIORITIES.index(request.priority) > PRIORITIES.index(Priority.HIGH):
        changed = replace(request, priority=Priority.HIGH)
        yield Alternative(Change.PRIORITY, {"priority": Priority.HIGH.value}, changed)
