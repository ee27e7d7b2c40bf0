"""Cluster rows: the default one, its launcher, and whether it answers."""

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
KUBERNETES_JOBS = 100  # unless CAPACITY_JOBS says otherwise: pods that find no node wait, and a node autoscaler sees them
ASKED_GAP_SECONDS = 120.0  # between two failed looks: longer, and nobody looked in between
_launchers: dict[str, tuple[tuple[str, LauncherSettings], Launcher]] = {}
_making = threading.Lock()


def cluster_ensure() -> Cluster:
    """The default cluster's row, made at the first start.

    On the process launcher the room is worker slots: what jobs request of CPU and memory is recorded, and limits are clamped to the machine.
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
    """At the dispatcher's start: CAPACITY_* in the environment, where set, win over the row; until the next start an administrator's edit does."""
    env, row = settings.ENV, cluster_ensure()
    asked = {
        "launcher": env.launcher,
        "model_cache": env.model_cache or row.model_cache,
        "capacity_jobs": env.capacity_jobs or row.capacity_jobs,
        "capacity_cpu_millicores": env.capacity_cpu_millicores or row.capacity_cpu_millicores,
        "capacity_memory_bytes": env.capacity_memory_bytes or row.capacity_memory_bytes,
        "capacity_gpus": env.capacity_gpus or row.capacity_gpus,
    }
    Cluster.objects.filter(name=DEFAULT).exclude(**asked).update(**asked)


def launcher_of(cluster: Cluster) -> Launcher:
    """The launcher for a cluster: one a process, since it holds connections and watches; another one once the row says otherwise."""
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
    with _making:
        made = _launchers.get(cluster.name)
        if made is None or made[0] != wanted:
            if made is not None:
                made[1].close()
            made = _launchers[cluster.name] = wanted, launcher_for(*wanted)
        return made[1]


def launchers_prepare() -> None:
    """Have the launchers of all clusters ready for their first launch. One that cannot be is told of by that launch."""
    for cluster in Cluster.objects.filter(enabled=True):
        try:
            launcher_of(cluster).prepare()
        except Exception as error:  # whatever a row, a kubeconfig or a credential plugin brings
            log.warning(
                "a cluster's launcher is not ready", cluster=cluster.name, error=str(error)[:300]
            )


def launcher_forget(name: str) -> None:
    """Close the launcher of a cluster whose row is gone."""
    with _making:
        made = _launchers.pop(name, None)
    if made is not None:
        made[1].close()


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
    """Its list succeeded; whether it was away until now. Writes at most once in a second."""
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
    """Its list failed: it gets no new work. What runs there is not declared dead by this, but the time is counted."""
    Cluster.objects.filter(name=cluster.name, unreachable_since__isnull=True).update(
        unreachable_since=utc_now(), away_seconds=0.0, away_web_seconds=None
    )
    with connection.cursor() as cursor:
        cursor.execute(
            _STILL_AWAY,
            {
                "message": message[:1000].replace("\x00", ""),
                "name": cluster.name,
                "gap": ASKED_GAP_SECONDS,
            },
        )


# By the count of web's uptime: what web was not up for is no silence, and what nobody asked for is no absence.
_STILL_AWAY = """
UPDATE jobs_cluster AS cluster SET
    unreachable_message = %(message)s,
    away_web_seconds = web.counted,
    away_seconds = away_seconds + CASE
        WHEN web.counted - away_web_seconds BETWEEN 0 AND %(gap)s THEN web.counted - away_web_seconds ELSE 0 END
FROM (SELECT coalesce((SELECT counted_seconds FROM jobs_webuptime WHERE name = 'web'), 0) AS counted) AS web
WHERE cluster.name = %(name)s AND cluster.unreachable_since IS NOT NULL
"""


def _second() -> dt.timedelta:
    return dt.timedelta(seconds=1)
