"""Launch specification of a worker, from its attempt and cluster."""

from django.conf import settings

from jobs.clusters.launchers.base import LaunchSpec
from jobs.clusters.machine import attempt_limits
from jobs.core.tokens import launch_token
from jobs.dispatch.launch_rows import LaunchRow
from jobs.models import Cluster
from jobs.reconcile.decide import EXCUSED_SECONDS_MAX, capacity_wait


def launch_spec(row: LaunchRow, cluster: Cluster) -> LaunchSpec:
    """Return the launch specification of an attempt."""
    env = settings.ENV
    limits = attempt_limits(row.resources, row.memory_limit_bytes, launcher=cluster.launcher)
    return LaunchSpec(
        name=row.name,
        job_id=str(row.job_id),
        job_type=row.type,
        attempt_id=str(row.id),
        attempt=row.number,
        project_id=str(row.project_id),
        token=launch_token(row.id),
        orchestrator_url=cluster.orchestrator_url or env.orchestrator_url,
        cpu_millicores=limits.cpu_millicores,
        memory_bytes=limits.memory_bytes,
        gpu_count=limits.gpus,
        priority=row.priority,
        requested_cpu_millicores=row.cpu_millicores,
        requested_memory_bytes=row.memory_bytes,
        active_deadline_seconds=_active_deadline(row.number, row.timeout_seconds),
        extra_env={"REDIS_URL": env.worker_redis_url} if env.worker_redis_url else {},
    )


def _active_deadline(number: int, timeout_seconds: int) -> int:
    """Return the seconds after which the cluster itself ends the worker.

    It is later than the deadlines that the orchestrator enforces.
    """
    env = settings.ENV
    # Time to start for a worker that waited for capacity, got a node, and was not served at once.
    slack = max(600, 2 * env.launch_timeout) + int(EXCUSED_SECONDS_MAX)
    return (
        int(capacity_wait(number, env.launch_timeout)) + timeout_seconds + env.worker_grace + slack
    )
