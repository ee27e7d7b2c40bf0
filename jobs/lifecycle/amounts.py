"""Requests, limits and memory policy of a job, fixed when it is submitted."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
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
    resolve,
)
from jobs.models import Job, producer
from jobs.models.expressions import producer_name
from jobs.types.registry import builtin_profiles
from mimir.lib.errors import Invalid
from mimir.lib.json_types import JsonObject
from projects.models import Project

RUNS_MAX = 20  # of a producer, searched for its last success


@dataclass(frozen=True, slots=True)
class JobAmounts:
    """Amounts of a job, with the limit of its memory increases; memory in bytes.

    `memory_from_job`: the earlier run whose raised memory the job starts with.
    `memory_raised_from_bytes`: the default that this replaces.
    """

    profile: Profile
    memory_max_bytes: int | None = None
    memory_from_job: UUID | None = None
    memory_raised_from_bytes: int | None = None


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

    A job with `memory_max` and without `memory` starts with the memory of the last successful run
    of its producer, if that was raised by this policy.
    """
    plain = {name: value for name, value in (requested or {}).items() if name != "memory_max"}
    usual = profiles()[job_type]
    profile, most = _read(plain, usual, faults), _memory_max(requested or {}, faults)
    if profile is None:
        return None
    if most is None:
        return JobAmounts(profile)
    if most < profile.limits.memory_bytes:
        least = format_memory(profile.limits.memory_bytes)
        faults["resources.memory_max"] = f"must be at least the memory of the job, {least}"
        return None
    if plain.get("memory") is not None or faults:
        return JobAmounts(profile, most)
    earlier = _last_success(project, job_type, parameters)
    if earlier is None or earlier.memory_raised_from_bytes is None:
        return JobAmounts(profile, most)
    memory = min(from_dict(earlier.resources).limits.memory_bytes, most)
    if memory <= profile.limits.memory_bytes:
        return JobAmounts(profile, most)
    raised = resolve({**plain, "memory": format_memory(memory)}, usual)
    return JobAmounts(raised, most, earlier.id, profile.limits.memory_bytes)


def _read(
    requested: Mapping[str, object], usual: Profile, faults: dict[str, str]
) -> Profile | None:
    try:
        return resolve(requested, usual)
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
