"""Response bodies of the system state, for the OpenAPI document."""

from typing import Any

from rest_framework import serializers

from jobs.clusters.listing import Health
from jobs.contract import FailureReason, Priority
from jobs.models import Limit
from jobs.types.registry import job_type_names

_Any = serializers.Serializer[Any]


class Headline(_Any):
    level = serializers.ChoiceField(choices=["ok", "attention"])
    message = serializers.CharField(help_text="The most urgent problem.")
    remedy = serializers.CharField(help_text="Remedy. Empty without a problem.")


class Component(_Any):
    component = serializers.CharField(
        help_text="dispatcher, reconciler, web (this process), database, redis, storage"
    )
    instance = serializers.CharField(
        help_text="Process or address. Empty for a loop that does not run."
    )
    started_at = serializers.DateTimeField(allow_null=True)
    beat_at = serializers.DateTimeField(allow_null=True)
    age_seconds = serializers.FloatField(allow_null=True)
    state = serializers.ChoiceField(choices=["alive", "late", "away"])
    message = serializers.CharField(help_text="Problem and remedy. Empty for a healthy component.")


class Queue(_Any):
    priority = serializers.ChoiceField(choices=[priority.value for priority in Priority])
    length = serializers.IntegerField()
    oldest_seconds = serializers.FloatField(allow_null=True)


class Worker(_Any):
    job = serializers.UUIDField()
    attempt = serializers.IntegerField()
    project = serializers.CharField()
    type = serializers.ChoiceField(choices=job_type_names())
    name = serializers.CharField()
    cluster = serializers.CharField()
    since = serializers.DateTimeField(help_text="Time of the claim, or of the admission before it.")
    memory_bytes = serializers.IntegerField(allow_null=True, help_text="At its last heartbeat.")
    memory_limit_bytes = serializers.IntegerField()
    cpu_millicores = serializers.IntegerField(allow_null=True, help_text="At its last heartbeat.")
    cpu_limit_millicores = serializers.IntegerField()


class Capacity(_Any):
    cluster = serializers.CharField()
    launcher = serializers.CharField()
    region = serializers.CharField(help_text="Empty outside steps.")
    enabled = serializers.BooleanField()
    state = serializers.ChoiceField(choices=[state.value for state in Health])
    jobs = serializers.IntegerField()
    used_jobs = serializers.IntegerField()
    cpu_millicores = serializers.IntegerField(allow_null=True, help_text="null: no limit.")
    used_cpu_millicores = serializers.IntegerField()
    memory_bytes = serializers.IntegerField(allow_null=True, help_text="null: no limit.")
    used_memory_bytes = serializers.IntegerField()
    gpus = serializers.IntegerField()
    used_gpus = serializers.IntegerField()
    starting = serializers.IntegerField(help_text="Workers that are being started.")
    start_window = serializers.IntegerField(
        help_text="Workers that may be starting at the same time now. Adapts to their durations."
    )
    reached_at = serializers.DateTimeField(allow_null=True)
    unreachable_message = serializers.CharField(help_text="Empty while it responds.")


class LimitInForce(_Any):
    scope = serializers.ChoiceField(choices=Limit.Scope.choices)
    key = serializers.CharField()
    max_jobs = serializers.IntegerField(allow_null=True)
    paused = serializers.BooleanField()
    running = serializers.IntegerField()


class Storage(_Any):
    artifact_bytes = serializers.IntegerField(
        help_text="Artifacts and uploaded versions. Up to 30 s old, like the next two."
    )
    artifact_free_bytes = serializers.IntegerField(allow_null=True, help_text="null for a bucket.")
    artifact_total_bytes = serializers.IntegerField(allow_null=True)
    database_bytes = serializers.IntegerField()
    log_bytes = serializers.IntegerField()


class Failures(_Any):
    reason = serializers.ChoiceField(choices=[reason.value for reason in FailureReason])
    count = serializers.IntegerField()
    last_at = serializers.DateTimeField()
    job = serializers.UUIDField(help_text="The latest job.")
    remedy = serializers.CharField()


class Reconcile(_Any):
    lag_seconds = serializers.FloatField(
        allow_null=True, help_text="Seconds since the oldest complete observation of a cluster."
    )


class SystemShape(_Any):
    headline = Headline()
    components = Component(many=True)
    queues = Queue(many=True)
    workers = Worker(many=True, help_text="Longest running first, at most 100.")
    workers_total = serializers.IntegerField()
    capacity = Capacity(many=True)
    limits = LimitInForce(many=True)
    storage = Storage()
    versions = serializers.DictField(child=serializers.CharField())
    failures = Failures(many=True, help_text="In the last 24 hours.")
    reconcile = Reconcile()
