"""Requests and limits of a submitted job: as requested, the type's default, or recommended.

In a project with automatic resources, a job without resources gets the limits that fit the last
runs of its producer.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypedDict

from django.conf import settings

from jobs.clusters.launchers.base import LauncherKind
from jobs.clusters.machine import machine
from jobs.core.resources import Profile, as_dict, format_cpu, format_memory, resolve
from jobs.core.sizing import Change, Sizing, automatic_change
from jobs.lifecycle.measured_runs import producer_sizing
from jobs.models.expressions import producer_name
from projects.models import Project


class RecommendedBody(TypedDict):
    """Limits of a job that were recommended from `runs` measured runs; None: not recommended."""

    memory: str | None
    cpu: str | None
    runs: int


@dataclass(frozen=True, slots=True)
class JobResources:
    """Requests and limits as the job's row stores them.

    `stored` has a part "recommended" if the limits are not from the request or the type.
    `sizing`: the measured runs, if they were read.
    """

    stored: dict[str, dict[str, int]]
    sizing: Sizing | None = None


def resources_of(
    *,
    project: Project,
    job_type: str,
    parameters: Mapping[str, object],
    requested: Mapping[str, object] | None,
    profile: Profile,
) -> JobResources:
    """Return the resources of a job with the type's `profile`. Raises: Invalid."""
    if requested or not project.automatic_resources:
        return JobResources(as_dict(resolve(requested, profile)))
    sizing = producer_sizing(
        project_id=project.id, job_type=job_type, name=producer_name(parameters)
    )
    capacity = machine() if settings.ENV.launcher == LauncherKind.PROCESS else None
    change = automatic_change(sizing, profile.limits, machine=capacity)
    return JobResources(_stored(change, sizing.basis.runs, profile), sizing)


def _stored(change: Change, runs: int, profile: Profile) -> dict[str, dict[str, int]]:
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


def _quantities(amounts: Mapping[str, int]) -> dict[str, str]:
    memory, cpu = amounts.get("memory_bytes"), amounts.get("cpu_millicores")
    found = {
        "memory": format_memory(memory) if memory else None,
        "cpu": format_cpu(cpu) if cpu else None,
    }
    return {name: text for name, text in found.items() if text}


def recommended_dict(resources: Mapping[str, Mapping[str, int]]) -> RecommendedBody | None:
    """Return the recommended part of a job's stored resources; None without one."""
    found = resources.get("recommended")
    if not found:
        return None
    texts = _quantities(found)
    return {"memory": texts.get("memory"), "cpu": texts.get("cpu"), "runs": found["runs"]}
