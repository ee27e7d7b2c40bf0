"""Cluster rows: the default row, the launcher of a row, and the record of whether it answers."""

import datetime as dt
import json
import threading
from dataclasses import replace

import structlog
from django.conf import settings
from django.db import connection
from django.db.models import Q

from jobs.clusters.launchers.base import Launcher, LauncherKind, Target
from jobs.clusters.launchers.factory import LauncherSettings, launcher_for
from jobs.clusters.launchers.manifest import WorkerTemplate
from jobs.clusters.listing import OWN
from jobs.clusters.machine import machine
from jobs.models import Cluster, ModelCache
from mimir.lib.clock import utc_now

log = structlog.get_logger(__name__)
DEFAULT = OWN
# Default of CAPACITY_JOBS: pods without a node stay pending, where a node autoscaler sees them.
KUBERNETES_JOBS = 100
# Longest time between two failed observations that counts as an outage. In a longer gap no process
# observed the cluster.
OBSERVATION_GAP_SECONDS = 120.0
_launchers: dict[str, tuple[tuple[str, LauncherSettings], Launcher]] = {}
_launchers_lock = threading.Lock()


def cluster_ensure() -> Cluster:
    """Return the default cluster's row; the first start creates it.

    On the process launcher, capacity is worker slots: CPU and memory requests of jobs are recorded
    only, and their limits are reduced to those of the machine.
    """
    env = settings.ENV
    slots = env.capacity_jobs or (
        KUBERNETES_JOBS
        if env.launcher == LauncherKind.KUBERNETES
        else max(2, machine().cpu_millicores // 1000)
    )
    row, _created = Cluster.objects.get_or_create(
        name=DEFAULT,
        defaults={
            "launcher": env.launcher,
            "model_cache": env.model_cache or ModelCache.EMPTY_DIR,
            "capacity_jobs": slots,
            "capacity_cpu_millicores": env.capacity_cpu_millicores,
            "capacity_memory_bytes": env.capacity_memory_bytes,
            "capacity_gpus": env.capacity_gpus,
        },
    )
    return row


def cluster_configure() -> None:
    """Write the CAPACITY_* settings to the default cluster's row, at the dispatcher's start.

    Settings override the row. An administrator's edit is effective until the next start.
    """
    env, row = settings.ENV, cluster_ensure()
    configured = {
        "launcher": env.launcher,
        "model_cache": env.model_cache or row.model_cache,
        "capacity_jobs": env.capacity_jobs or row.capacity_jobs,
        "capacity_cpu_millicores": env.capacity_cpu_millicores or row.capacity_cpu_millicores,
        "capacity_memory_bytes": env.capacity_memory_bytes or row.capacity_memory_bytes,
        "capacity_gpus": env.capacity_gpus or row.capacity_gpus,
    }
    Cluster.objects.filter(name=DEFAULT).exclude(**configured).update(**configured)


def launcher_of(cluster: Cluster) -> Launcher:
    """Return the launcher of a cluster, replaced when the row's settings change.

    One instance per process: a launcher holds connections and watches.
    """
    wanted = cluster.launcher, _launcher_settings(cluster)
    if cluster.launcher != LauncherKind.KUBERNETES:
        wanted = (
            cluster.launcher,
            replace(
                wanted[1],
                target=Target(),
                template=WorkerTemplate(wanted[1].installation, image=""),
            ),
        )
    with _launchers_lock:
        current = _launchers.get(cluster.name)
        if current is None or current[0] != wanted:
            if current is not None:
                current[1].close()
            current = _launchers[cluster.name] = wanted, launcher_for(*wanted)
        return current[1]


def launchers_prepare() -> None:
    """Prepare the launchers of all enabled clusters for their first launch.

    A failure is only logged here: the launch reports it.
    """
    for cluster in Cluster.objects.filter(enabled=True):
        try:
            launcher_of(cluster).prepare()
        except Exception as error:  # any error of a row, a kubeconfig or a credential plugin
            log.warning("launcher preparation failed", cluster=cluster.name, error=str(error)[:300])


def launcher_forget(name: str) -> None:
    """Close the launcher of a cluster whose row was removed."""
    with _launchers_lock:
        current = _launchers.pop(name, None)
    if current is not None:
        current[1].close()


def _launcher_settings(cluster: Cluster) -> LauncherSettings:
    env = settings.ENV
    return LauncherSettings(
        installation=str(cluster.installation),
        workers_dir=env.workers_dir,
        target=Target(
            context=cluster.context,
            kubeconfig_file=env.kubeconfig_file,
            namespace=cluster.namespace or env.worker_namespace,
            qps=env.kube_qps,
            burst=env.kube_burst,
            timeout_seconds=env.kube_timeout,
            connections=env.launch_concurrency,
        ),
        template=WorkerTemplate(
            installation=str(cluster.installation),
            image=env.worker_image,
            image_pull_policy=env.worker_image_pull_policy,
            image_pull_secrets=env.worker_image_pull_secrets,
            data_bytes=env.worker_data_bytes,
            model_cache_bytes=env.model_cache_bytes_max,
            shared_model_cache=cluster.model_cache == ModelCache.CLAIM,
            node_selector=cluster.node_selector,
            tolerations=tuple(cluster.tolerations),
            gpu_node_selector=cluster.gpu_node_selector,
            gpu_tolerations=tuple(cluster.gpu_tolerations),
            pod_annotations=json.loads(env.worker_pod_annotations or "{}"),
            priority_classes=json.loads(env.worker_priority_classes or "{}"),
        ),
        node_grace_seconds=env.node_grace,
        reads_nodes=env.kube_nodes,
    )


def cluster_reached(*, cluster: Cluster) -> bool:
    """Record a successful list; return whether the cluster was unreachable before.

    Writes at most once per second.
    """
    now = utc_now()
    back = Cluster.objects.filter(name=cluster.name, unreachable_since__isnull=False).update(
        reached_at=now,
        unreachable_since=None,
        unreachable_message="",
        away_seconds=0.0,
        away_web_seconds=None,
    )
    stale = Q(reached_at__isnull=True) | Q(reached_at__lt=now - _second())
    Cluster.objects.filter(stale, name=cluster.name).update(reached_at=now)
    return bool(back)


def cluster_unreachable(*, cluster: Cluster, message: str) -> None:
    """Record a failed list: the cluster gets no new work.

    Its workers do not count as lost yet, but the time of the outage is added up.
    """
    Cluster.objects.filter(name=cluster.name, unreachable_since__isnull=True).update(
        unreachable_since=utc_now(), away_seconds=0.0, away_web_seconds=None
    )
    with connection.cursor() as cursor:
        cursor.execute(
            _STILL_AWAY,
            {
                "message": message[:1000].replace("\x00", ""),
                "name": cluster.name,
                "gap": OBSERVATION_GAP_SECONDS,
            },
        )


# Measured by web's uptime counter: time in which web was down does not count as silence, and time
# in which no process observed the cluster does not count as an outage.
_STILL_AWAY = """
UPDATE jobs_cluster AS cluster SET
    unreachable_message = %(message)s,
    away_web_seconds = web.counted,
    away_seconds = away_seconds + CASE
        WHEN web.counted - away_web_seconds BETWEEN 0 AND %(gap)s
        THEN web.counted - away_web_seconds ELSE 0 END
FROM (
    SELECT coalesce((SELECT counted_seconds FROM jobs_webuptime WHERE name = 'web'), 0) AS counted
) AS web
WHERE cluster.name = %(name)s AND cluster.unreachable_since IS NOT NULL
"""


def _second() -> dt.timedelta:
    return dt.timedelta(seconds=1)
