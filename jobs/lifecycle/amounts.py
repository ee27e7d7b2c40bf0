"""Requests, limits and memory policy of a job, fixed when it is submitted."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from uuid import UUID

from django.conf import settings

from jobs.clusters.launchers.base import LauncherKind
from jobs.clusters.machine import machine
from jobs.contract import JobStatus
from jobs.core.resources import (
    Profile,
    format_memory,
    from_dict,
    memory_max_of,
    profiles_with,
    request_of,
)
from jobs.core.sizing import Sizing
from jobs.lifecycle.job_resources import JobResources, resources_of
from jobs.models import Job, producer
from jobs.models.expressions import producer_name
from jobs.types.registry import builtin_profiles
from mimir.lib.errors import Invalid
from mimir.lib.json_types import JsonObject
from projects.models import Project

RUNS_MAX = 20  # of a producer, searched for its last success


@dataclass(frozen=True, slots=True)
class JobAmounts:
    """Resources as the job's row stores them, with the limit of the memory increases in bytes.

    `memory_from_job`: the earlier run whose raised memory the job starts with.
    `memory_raised_from_bytes`: the limit that this replaces.
    `sizing`: the measured runs, if they were read.
    """

    stored: dict[str, dict[str, int]]
    memory_max_bytes: int | None = None
    memory_from_job: UUID | None = None
    memory_raised_from_bytes: int | None = None
    sizing: Sizing | None = None


def profiles() -> dict[str, Profile]:
    """Return the effective profiles: the built-in ones, changed by RESOURCE_PROFILES.

    On the process launcher they are capped to the capacity of the machine.
    """
    text = settings.ENV.resource_profiles
    capacity = machine() if settings.ENV.launcher == LauncherKind.PROCESS else None
    return profiles_with(
        json.loads(text) if text else {}, builtin=builtin_profiles(), machine=capacity
    )


def job_amounts(
    project: Project,
    job_type: str,
    parameters: JsonObject,
    requested: Mapping[str, object] | None,
    faults: dict[str, str],
) -> JobAmounts | None:
    """Return the amounts of a job, or None with the errors in `faults`.

    A job with `memory_max` and without `memory` starts with the recommended memory in a project
    with automatic resources, or with the memory of the last successful run of its producer, if that
    was raised by this policy.
    """
    plain = {name: value for name, value in (requested or {}).items() if name != "memory_max"}
    valid = {} if faults else parameters
    found = _resources(project, job_type, valid, plain, faults)
    most = _memory_max(requested or {}, faults)
    if found is None:
        return None
    plainly = JobAmounts(found.stored, most, sizing=found.sizing)
    if most is None:
        return plainly
    limit = found.stored["limits"]["memory_bytes"]
    if "memory_bytes" in found.stored.get("recommended", {}):
        return replace(plainly, stored=_with_memory(found.stored, min(limit, most), job_type))
    if most < limit:
        least = format_memory(limit)
        faults["resources.memory_max"] = f"must be at least the memory of the job, {least}"
        return None
    if plain.get("memory") is not None or faults:
        return plainly
    earlier = _last_success(project, job_type, parameters)
    if earlier is None or earlier.memory_raised_from_bytes is None:
        return plainly
    memory = min(from_dict(earlier.resources).limits.memory_bytes, most)
    if memory <= limit:
        return plainly
    stored = _with_memory(found.stored, memory, job_type)
    return JobAmounts(stored, most, earlier.id, limit, found.sizing)


def _with_memory(
    stored: dict[str, dict[str, int]], memory_bytes: int, job_type: str
) -> dict[str, dict[str, int]]:
    """Return stored resources with another memory limit and the request that belongs to it."""
    usual = profiles()[job_type]
    request = request_of(memory_bytes, usual.requests.memory_bytes, usual.limits.memory_bytes)
    changed = {
        **stored,
        "limits": {**stored["limits"], "memory_bytes": memory_bytes},
        "requests": {**stored["requests"], "memory_bytes": request},
    }
    if "memory_bytes" in stored.get("recommended", {}):
        changed["recommended"] = {**stored["recommended"], "memory_bytes": memory_bytes}
    return changed


def _resources(
    project: Project,
    job_type: str,
    parameters: JsonObject,
    requested: Mapping[str, object],
    faults: dict[str, str],
) -> JobResources | None:
    try:
        return resources_of(
            project=project,
            job_type=job_type,
            parameters=parameters,
            requested=requested,
            profile=profiles()[job_type],
        )
    except Invalid as invalid:
        faults |= invalid.detail
        return None


def _memory_max(requested: Mapping[str, object], faults: dict[str, str]) -> int | None:
    try:
        return memory_max_of(requested)
    except Invalid as invalid:
        faults |= invalid.detail
        return None


def _last_success(project: Project, job_type: str, parameters: JsonObject) -> Job | None:
    """Return the last successful job of a producer, of its newest runs."""
    runs = (
        Job.objects.filter(project=project, type=job_type)
        .annotate(producer=producer())
        .filter(producer=producer_name(parameters))
        .order_by("-created_at")
        .only("status", "resources", "memory_raised_from_bytes")[:RUNS_MAX]
    )
    return next((job for job in runs if job.status == JobStatus.SUCCEEDED), None)
