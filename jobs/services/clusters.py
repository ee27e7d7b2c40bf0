"""Cluster rows: the default one, its launcher, and whether it answers."""

import datetime as dt
from functools import cache

from django.conf import settings
from django.db.models import Q

from jobs.launchers.base import Launcher
from jobs.launchers.factory import launcher_for
from jobs.models import Cluster
from jobs.selectors.clusters import OWN
from jobs.selectors.machine import machine
from mimir.lib.clock import utc_now

DEFAULT = OWN


def cluster_ensure() -> Cluster:
    """The default cluster's row, made at the first start.

    On the process launcher the room is worker slots: what jobs request of CPU and memory is recorded, and limits are clamped to the machine.
    """
    env = settings.ENV
    slots = env.capacity_jobs or max(2, machine().cpu_millicores // 1000)
    row, _created = Cluster.objects.get_or_create(
        name=DEFAULT,
        defaults={
            "launcher": env.launcher,
            "capacity_jobs": slots,
            "capacity_cpu_millicores": env.capacity_cpu_millicores,
            "capacity_memory_bytes": env.capacity_memory_bytes,
        },
    )
    return row


def cluster_configure() -> None:
    """At the dispatcher's start: CAPACITY_* in the environment, where set, win over the row; until the next start an administrator's edit does."""
    env, row = settings.ENV, cluster_ensure()
    asked = {
        "launcher": env.launcher,
        "capacity_jobs": env.capacity_jobs or row.capacity_jobs,
        "capacity_cpu_millicores": env.capacity_cpu_millicores or row.capacity_cpu_millicores,
        "capacity_memory_bytes": env.capacity_memory_bytes or row.capacity_memory_bytes,
    }
    Cluster.objects.filter(name=DEFAULT).exclude(**asked).update(**asked)


def launcher_of(cluster: Cluster) -> Launcher:
    """The launcher for a cluster: one a process, since it may hold connections."""
    return _launcher(cluster.name, cluster.launcher, str(cluster.installation))


@cache
def _launcher(_name: str, kind: str, installation: str) -> Launcher:
    env = settings.ENV
    return launcher_for(kind, {"workers_dir": env.workers_dir, "installation": installation})


def cluster_reached(*, cluster: Cluster) -> None:
    """Its list succeeded. Writes at most once in a second."""
    now = utc_now()
    stale = Q(unreachable_since__isnull=False) | Q(reached_at__isnull=True) | Q(reached_at__lt=now - _second())
    Cluster.objects.filter(stale, name=cluster.name).update(
        reached_at=now, unreachable_since=None, unreachable_message=""
    )


def cluster_unreachable(*, cluster: Cluster, message: str) -> None:
    """Its list failed: it gets no new work. What runs there is not declared dead by this."""
    Cluster.objects.filter(name=cluster.name, unreachable_since__isnull=True).update(unreachable_since=utc_now())
    Cluster.objects.filter(name=cluster.name).update(unreachable_message=message[:1000])


def _second() -> dt.timedelta:
    return dt.timedelta(seconds=1)
