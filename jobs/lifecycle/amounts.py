"""Requests, limits and memory policy of a job, fixed when it is submitted.

In a project with automatic resources, a job without resources gets the limits that fit the last
runs of its producer.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from uuid import UUID

from django.conf import settings

from jobs.clusters.launchers.base import LauncherKind
from jobs.clusters.machine import machine
from jobs.contract import JobStatus
from jobs.core.recommended import StoredResources, with_memory, with_recommended
from jobs.core.resources import (
    Amounts,
    Profile,
    as_dict,
    format_memory,
    from_dict,
    memory_max_of,
    profiles_with,
    resolve,
)
from jobs.core.sizing import Sizing, automatic_change
from jobs.lifecycle.measured_runs import producer_sizing
from jobs.models import Job, producer
from jobs.models.expressions import producer_name
from jobs.types.registry import builtin_profiles
from mimir.lib.errors import Invalid
from mimir.lib.json_types import JsonObject
from projects.models import Project

RUNS_MAX = 20  # newest runs of a producer in which its last success is searched


@dataclass(frozen=True, slots=True)
class JobAmounts:
    """Resources as the job's row stores them, with the limit of the memory increases in bytes.

    `memory_from_job`: the earlier run whose raised memory the job starts with.
    `memory_raised_from_bytes`: the limit that this memory replaces.
    `sizing`: the measured runs, if they were read.
    """

    stored: StoredResources
    memory_max_bytes: int | None = None
    memory_from_job: UUID | None = None
    memory_raised_from_bytes: int | None = None
    sizing: Sizing | None = None


def profiles() -> dict[str, Profile]:
    """Return the effective profiles: the built-in ones, changed by RESOURCE_PROFILES.

    On the process launcher they are capped to the capacity of the machine.
    """
    text = settings.ENV.resource_profiles
    return profiles_with(
        json.loads(text) if text else {}, builtin=builtin_profiles(), machine=_machine()
    )


def _machine() -> Amounts | None:
    """Return the capacity of a single-machine installation; None for clusters."""
    return machine() if settings.ENV.launcher == LauncherKind.PROCESS else None


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
    profile = profiles()[job_type]
    if plain or not project.automatic_resources:
        found = _requested(plain, profile, faults)
    else:
        found = _recommended(project, job_type, {} if faults else parameters, profile)
    most = _memory_max(requested or {}, faults)
    if found is None or most is None:
        return found
    declared = replace(found, memory_max_bytes=most)
    limit = found.stored["limits"]["memory_bytes"]
    if "memory_bytes" in found.stored.get("recommended", {}):
        return replace(declared, stored=with_memory(found.stored, min(limit, most), profile))
    if most < limit:
        least = format_memory(limit)
        faults["resources.memory_max"] = f"must be at least the memory of the job, {least}"
        return None
    if plain.get("memory") is not None or faults:
        return declared
    return _with_reached_memory(declared, project, job_type, parameters, profile)


def _requested(
    requested: Mapping[str, object], profile: Profile, faults: dict[str, str]
) -> JobAmounts | None:
    """Return the requested limits and the defaults of the type."""
    try:
        return JobAmounts(as_dict(resolve(requested, profile)))
    except Invalid as invalid:
        faults |= invalid.detail
        return None


def _recommended(
    project: Project, job_type: str, parameters: JsonObject, profile: Profile
) -> JobAmounts:
    """Return the recommended limits and the defaults of the type.

    After out-of-memory failures, memory is raised up to the default. So a recommendation never
    fails a job that would have succeeded with the default.
    """
    sizing = producer_sizing(
        project_id=project.id, job_type=job_type, name=producer_name(parameters)
    )
    change = automatic_change(sizing, profile.limits, machine=_machine())
    default_bytes = profile.limits.memory_bytes
    is_lowered = change.memory_bytes is not None and change.memory_bytes < default_bytes
    return JobAmounts(
        with_recommended(change, sizing.basis.runs, profile),
        memory_max_bytes=default_bytes if is_lowered else None,
        sizing=sizing,
    )


def _with_reached_memory(
    amounts: JobAmounts,
    project: Project,
    job_type: str,
    parameters: JsonObject,
    profile: Profile,
) -> JobAmounts:
    """Return the amounts, with the raised memory of the last successful run if it is larger."""
    earlier = _last_success(project, job_type, parameters)
    if earlier is None or earlier.memory_raised_from_bytes is None:
        return amounts
    limit = amounts.stored["limits"]["memory_bytes"]
    reached = from_dict(earlier.resources).limits.memory_bytes
    memory = min(reached, amounts.memory_max_bytes or reached)
    if memory <= limit:
        return amounts
    return replace(
        amounts,
        stored=with_memory(amounts.stored, memory, profile),
        memory_from_job=earlier.id,
        memory_raised_from_bytes=limit,
    )


def _memory_max(requested: Mapping[str, object], faults: dict[str, str]) -> int | None:
    try:
        return memory_max_of(requested)
    except Invalid as invalid:
        faults |= invalid.detail
        return None


def _last_success(project: Project, job_type: str, parameters: JsonObject) -> Job | None:
    """Return the last success among the newest RUNS_MAX runs of a producer; None without one."""
    runs = (
        Job.objects.filter(project=project, type=job_type)
        .annotate(producer=producer())
        .filter(producer=producer_name(parameters))
        .order_by("-created_at")
        .only("status", "resources", "memory_raised_from_bytes")[:RUNS_MAX]
    )
    return next((job for job in runs if job.status == JobStatus.SUCCEEDED), None)
