"""Sentences that say why a job waits: one per rule, from the rule's facts. Pure."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jobs.admission.snapshot_types import WaitFacts
from jobs.contract import WaitRule
from jobs.core.resources import format_cpu
from mimir.lib.formatting import duration_text, memory_text, time_text

# Rules whose sentence is preceded by the job's queue position.
QUEUED_BEHIND = frozenset(
    {
        WaitRule.EXCLUSIVE,
        WaitRule.JOBS_GLOBAL,
        WaitRule.JOBS_TYPE,
        WaitRule.JOBS_PROJECT,
        WaitRule.CAPACITY,
        WaitRule.RESERVED,
        WaitRule.CLUSTER_STARTING,
    }
)


@dataclass(frozen=True, slots=True)
class WaitContext:
    """The job and the state of the clusters that the sentences name.

    `unreachable` maps the names of unreachable clusters to (since, never answered yet).
    """

    job_type: str
    twin: str
    cluster: str
    region: str
    cluster_count: int
    unreachable: Mapping[str, tuple[dt.datetime, bool]]
    now: dt.datetime


_FIXED = {
    WaitRule.READY: "Starts at the next pass of the dispatcher.",
    WaitRule.PREVIOUS_ATTEMPT: (
        "The previous attempt's worker is stopping. Starts when it is gone."
    ),
    WaitRule.RESERVED: (
        "Capacity is reserved for a larger job that has waited longer. Starts after it."
    ),
    WaitRule.PAUSED: "An administrator has paused all jobs. It keeps its queue position.",
    WaitRule.PROJECT_PAUSED: (
        "An administrator has paused this project. It keeps its queue position."
    ),
    WaitRule.PROJECT_ARCHIVED: ("The project is archived. Starts when a maintainer activates it."),
}


def describe_wait(rule: WaitRule, facts: WaitFacts, context: WaitContext) -> str:
    """Return the text for a wait rule: the cause, the numbers and the next step."""
    used, limit = facts.get("used"), facts.get("limit")
    match rule:
        case WaitRule.BACK_OFF:
            seconds = facts.get("seconds")
            return f"Retries in {duration_text(float(seconds))}." if seconds else "Retries soon."
        case WaitRule.EXCLUSIVE if context.twin:
            return f"Another update of twin {context.twin} is running. Starts when it ends."
        case WaitRule.EXCLUSIVE:
            return "Another job holds the same exclusive resource. Starts when it ends."
        case WaitRule.JOBS_GLOBAL:
            return f"{used} of {limit} jobs are running, the global limit. Starts when one ends."
        case WaitRule.JOBS_TYPE:
            return (
                f"{used} of {limit} jobs of type {context.job_type} are running. "
                "Starts when one ends."
            )
        case WaitRule.JOBS_PROJECT:
            return f"This project runs {used} of its {limit} jobs. Starts when one ends."
        case WaitRule.CAPACITY:
            return _capacity(facts, named=context.cluster_count > 1)
        case WaitRule.CLUSTER_STARTING:
            return _starting(facts, named=context.cluster_count > 1)
        case WaitRule.NEVER_FITS:
            return _never_fits(facts)
        case WaitRule.CLUSTER_UNKNOWN:
            return _unknown(context)
        case WaitRule.CLUSTER_DISABLED:
            return _disabled(str(facts.get("clusters", "")))
        case WaitRule.CLUSTER_UNREACHABLE:
            return _unreachable(str(facts.get("clusters", "")).split(", "), context)
        case WaitRule.DISPATCHER_AWAY:
            return (
                f"The dispatcher has been down since {facts['since']:%H:%M:%S} UTC. "
                "An administrator must start it. Nothing is lost."
            )
        case _:
            return _FIXED[rule]


def ordinal(number: int) -> str:
    """Return the English ordinal, such as `2nd`."""
    suffix = (
        "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    )
    return f"{number:,}{suffix}"


def _capacity(facts: WaitFacts, *, named: bool) -> str:
    """Say which resource is short. `named` adds the cluster's name."""
    slots, used = facts.get("slots"), facts.get("used")
    where = f" on {facts.get('cluster')}" if named else ""
    if slots is not None and used is not None and used >= slots:
        slots_in_use = "The only worker slot" if slots == 1 else f"All {slots} worker slots"
        return (
            f"{slots_in_use}{where} {'is' if slots == 1 else 'are'} in use. Starts when a job ends."
        )
    free, requested = facts.get("free_memory_bytes"), facts.get("memory_bytes")
    if free is not None and requested is not None and requested > free:
        return (
            f"Requests {memory_text(requested)} of memory, {memory_text(max(0, free))} is "
            f"free{where}. Starts when jobs end."
        )
    free, requested = facts.get("free_gpus"), facts.get("gpus")
    if free is not None and requested is not None and requested > free:
        return f"Requests {requested} GPU, {max(0, free)} free{where}. Starts when jobs end."
    free, requested = facts.get("free_cpu_millicores"), facts.get("cpu_millicores")
    if free is not None and requested is not None:
        return (
            f"Requests {format_cpu(requested)} CPU, {format_cpu(max(0, free))} is free{where}. "
            "Starts when jobs end."
        )
    return "No cluster has free capacity. Starts when a job ends."


def _starting(facts: WaitFacts, *, named: bool) -> str:
    where = f"Cluster {facts.get('cluster')}" if named else "The cluster"
    starting = facts.get("starting", 0)
    workers = "1 worker" if starting == 1 else f"{starting} workers"
    return (
        f"{where} is already starting {workers}, its current limit. "
        f"Starts when {'it' if starting == 1 else 'one of them'} has started."
    )


def _never_fits(facts: WaitFacts) -> str:
    cluster, region = facts.get("cluster"), facts.get("region")
    place = f" of {region}" if region and not cluster else ""
    which = f"cluster {cluster}" if cluster else f"the largest cluster{place}"
    requested, largest = facts.get("memory_bytes"), facts.get("largest_memory_bytes")
    if requested is not None and largest is not None and requested > largest:
        return (
            f"Cannot start: requests {memory_text(requested)} of memory, {which} has "
            f"{memory_text(largest)}."
        )
    requested, largest = facts.get("gpus"), facts.get("largest_gpus")
    if requested is not None and largest is not None and requested > largest:
        gpus = f"{requested} GPU{'s' * (requested > 1)}"
        return f"Cannot start: requests {gpus}, {which} has {largest or 'none'}."
    requested, largest = facts.get("cpu_millicores"), facts.get("largest_cpu_millicores")
    if requested is not None and largest is not None and requested > largest:
        return (
            f"Cannot start: requests {format_cpu(requested)} CPU, {which} has "
            f"{format_cpu(largest)}."
        )
    which = f"cluster {cluster}" if cluster else f"any cluster{place}"
    return f"Cannot start: requests more than {which} has."


def _unknown(context: WaitContext) -> str:
    place = f"cluster {context.cluster}" if context.cluster else "a cluster"
    place += f" in region {context.region}" if context.region else ""
    return (
        f"Requests {place}, which no longer exists. Cancel the job and run it on another cluster, "
        "or ask an administrator to add it again."
    )


def _disabled(names: str) -> str:
    if ", " in names:
        return (
            f"Clusters {names} are disabled. Starts when an administrator enables one. It keeps "
            "its queue position."
        )
    return (
        f"Cluster {names} is disabled. Starts when an administrator enables it. It keeps its "
        "queue position."
    )


def _unreachable(names: Sequence[str], context: WaitContext) -> str:
    """Say since when clusters are unreachable.

    Their error messages contain addresses and are shown to administrators only.
    """
    away = {name: context.unreachable[name] for name in names if name in context.unreachable}
    if not away:
        return "No cluster can run it. Ask an administrator to add one."
    since = time_text(min(since for since, _new in away.values()), context.now)
    if len(away) > 1:
        return (
            f"Clusters {', '.join(names)} do not answer, the first since {since}. Starts when one "
            "does."
        )
    [(name, (_since, never_answered))] = away.items()
    if never_answered:
        return f"Cluster {name} has not answered yet. Starts when it does."
    return (
        f"Cluster {name} has not answered since {since}. Starts when it does. Administrators see "
        "the reason under System, Clusters."
    )
