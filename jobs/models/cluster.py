"""Clusters on which workers run."""

from enum import StrEnum

from django.db import models

from jobs.models.expressions import choices
from mimir.lib.ids import uuid7


class ModelCache(StrEnum):
    """Storage of the workers' model cache on a cluster."""

    EMPTY_DIR = "empty_dir"  # no shared cache: each worker has its own, removed with it
    CLAIM = "claim"  # PersistentVolumeClaim model-cache-pvc, with a folder per project


class Cluster(models.Model):
    """Cluster on which workers are launched: connection, capacity and reachability."""

    name = models.CharField(max_length=63, primary_key=True)
    launcher = models.CharField(max_length=16, default="process")
    enabled = models.BooleanField(default=True)
    region = models.CharField(max_length=63, blank=True, default="")
    context = models.CharField(
        max_length=253,
        blank=True,
        default="",
        # in KUBECONFIG_FILE; empty: the cluster this installation runs in
    )
    namespace = models.CharField(
        max_length=63,
        blank=True,
        default="",
        # of its workers; empty: WORKER_NAMESPACE
    )
    orchestrator_url = models.URLField(
        max_length=500,
        blank=True,
        default="",
        # URL at which its workers reach the orchestrator; empty: ORCHESTRATOR_URL
    )
    model_cache = models.CharField(
        max_length=16, choices=choices(ModelCache), default=ModelCache.EMPTY_DIR
    )
    node_selector = models.JSONField(default=dict, blank=True)  # for every worker
    tolerations = models.JSONField(default=list, blank=True)
    gpu_node_selector = models.JSONField(
        default=dict,
        blank=True,
        # for workers with GPUs, in addition to those above
    )
    gpu_tolerations = models.JSONField(default=list, blank=True)
    capacity_jobs = models.PositiveIntegerField()
    capacity_cpu_millicores = models.BigIntegerField()
    capacity_memory_bytes = models.BigIntegerField()
    capacity_gpus = models.PositiveIntegerField(default=0)
    installation = models.UUIDField(
        default=uuid7,
        editable=False,
        # label of its worker objects
    )
    reached_at = models.DateTimeField(null=True)  # last successful list
    unreachable_since = models.DateTimeField(null=True)
    unreachable_message = models.TextField(blank=True, default="")
    away_grace_seconds = models.PositiveIntegerField(
        default=600,
        db_default=600,
        # time without a heartbeat before a worker on an unreachable cluster is declared lost
    )
    away_seconds = models.FloatField(
        default=0.0,
        db_default=0.0,
        # seconds of unreachability, counted by WebUptime: see reconcile/away.py
    )
    away_web_seconds = models.FloatField(null=True)  # WebUptime's count at the last increase

    def __str__(self) -> str:
        return self.name

    @property
    def is_unobserved(self) -> bool:
        """Whether no list of its workers was tried since it was added or its connection changed."""
        return self.unreachable_since is not None and self.away_web_seconds is None


class StartWindow(models.Model):
    """State of a cluster's start window (`jobs.admission.start_window`). Admission writes it.

    If the row is lost, the next pass starts with the first size and learns the other values again.
    """

    cluster = models.OneToOneField(
        Cluster, on_delete=models.CASCADE, primary_key=True, related_name="start_window"
    )
    size = models.FloatField()
    usual_seconds = models.FloatField(null=True)  # of a start without load
    slow_share = models.FloatField(default=0.0)
    cut_at = models.FloatField(null=True)  # Unix seconds, as are the next two
    judged_at = models.FloatField(default=0.0)
    claimed_at = models.FloatField(default=0.0)
    jobs_wait = models.BooleanField(default=False)  # if true, a claim wakes admission

    def __str__(self) -> str:
        return f"{self.cluster_id}: {self.size:.0f}"
