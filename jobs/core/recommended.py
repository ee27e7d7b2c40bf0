"""Stored resources of a job, with their key "recommended". Pure.

"recommended" has the limits that come from earlier runs, and the number of these runs. It is absent
if no limit comes from earlier runs.
"""

from collections.abc import Mapping
from typing import TypedDict

from jobs.core.resources import Profile, as_dict, format_cpu, format_memory, request_of, resolve
from jobs.core.sizing import Change

StoredResources = dict[str, dict[str, int]]


class RecommendedBody(TypedDict):
    """Recommended limits of a job, from `runs` measured runs. None: not a recommended limit."""

    memory: str | None
    cpu: str | None
    runs: int


def with_recommended(change: Change, runs: int, profile: Profile) -> StoredResources:
    """Return resources with recommended limits; `profile` provides the others."""
    amounts = {
        name: value
        for name, value in (
            ("memory_bytes", change.memory_bytes),
            ("cpu_millicores", change.cpu_millicores),
        )
        if value is not None
    }
    resources = as_dict(resolve(_quantities(amounts), profile))
    return {**resources, "recommended": {**amounts, "runs": runs}} if amounts else resources


def with_memory(resources: StoredResources, memory_bytes: int, usual: Profile) -> StoredResources:
    """Return resources with another memory limit and request. `usual`: defaults of the job type."""
    request = request_of(memory_bytes, usual.requests.memory_bytes, usual.limits.memory_bytes)
    changed = {
        **resources,
        "limits": {**resources["limits"], "memory_bytes": memory_bytes},
        "requests": {**resources["requests"], "memory_bytes": request},
    }
    if "memory_bytes" in resources.get("recommended", {}):
        changed["recommended"] = {**resources["recommended"], "memory_bytes": memory_bytes}
    return changed


def without_recommended_memory(resources: StoredResources) -> StoredResources:
    """Return resources without the recommended memory limit."""
    others = {name: part for name, part in resources.items() if name != "recommended"}
    kept = {
        name: value
        for name, value in resources.get("recommended", {}).items()
        if name != "memory_bytes"
    }
    return {**others, "recommended": kept} if kept.keys() - {"runs"} else others


def recommended_dict(resources: Mapping[str, Mapping[str, int]]) -> RecommendedBody | None:
    """Return the recommended part of a job's stored resources; None without one."""
    found = resources.get("recommended")
    if not found:
        return None
    texts = _quantities(found)
    return {"memory": texts.get("memory"), "cpu": texts.get("cpu"), "runs": found["runs"]}


def _quantities(amounts: Mapping[str, int]) -> dict[str, str]:
    memory, cpu = amounts.get("memory_bytes"), amounts.get("cpu_millicores")
    found = {
        "memory": format_memory(memory) if memory else None,
        "cpu": format_cpu(cpu) if cpu else None,
    }
    return {name: text for name, text in found.items() if text}
