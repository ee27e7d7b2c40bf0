"""Bodies of the system's answer, for the OpenAPI document."""

from typing import Any

from rest_framework import serializers

from jobs.clusters.listing import Health
from jobs.contract import FailureReason, Priority
from jobs.models import Limit
from jobs.types.registry import job_type_names

_Any = serializers.Serializer[Any]


class Headline(_Any):
    level = serializers.ChoiceField(choices=["ok", "attention"])
    message = serializers.CharField(help_text="The one thing that needs an administrator.")
    remedy = serializers.CharField(help_text="What to do; empty when all is well.")


class Component(_Any):
    component = serializers.CharField(
        help_text="dispatcher, reconciler, web (the one that answers), database, redis, storage"
    )
    instance = serializers.CharField(
        help_text="Which process or place; empty for a loop that nobody runs."
    )
    started_at = serializers.DateTimeField(allow_null=True)
    beat_at = serializers.DateTimeField(allow_null=True)
    age_seconds = serializers.FloatField(allow_null=True)
    state = serializers.ChoiceField(choices=["alive", "late", "away"])
    message = serializers.CharField(
        help_text="What is wrong and what to do; empty when nothing is known to be."
    )


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
    since = serializers.DateTimeField(help_text="Of its claim, or before that of its admission.")
    memory_bytes = serializers.IntegerField(allow_null=True, help_text="At its last heartbeat.")
    memory_limit_bytes = serializers.IntegerField()
    cpu_millicores = serializers.IntegerField(allow_null=True, help_text="At its last heartbeat.")
    cpu_limit_millicores = serializers.IntegerField()


class Capacity(_Any):
    cluster = serializers.CharField()
    launcher = serializers.CharField()
    region = serializers.CharField(help_text="Empty: in none.")
    enabled = serializers.BooleanField()
    state = serializers.ChoiceField(choices=[state.value for state in Health])
    jobs = serializers.IntegerField()
    used_jobs = serializers.IntegerField()
    cpu_millicores = serializers.IntegerField(allow_null=True, help_text="null: not limited there.")
    used_cpu_millicores = serializers.IntegerField()
    memory_bytes = serializers.IntegerField(allow_null=True, help_text="null: not limited there.")
    used_memory_bytes = serializers.IntegerField()
    gpus = serializers.IntegerField()
    used_gpus = serializers.IntegerField()
    reached_at = serializers.DateTimeField(allow_null=True)
    unreachable_message = serializers.CharField(help_text="Empty while it answers.")


class LimitInForce(_Any):
    scope = serializers.ChoiceField(choices=Limit.Scope.choices)
    key = serializers.CharField()
    max_jobs = serializers.IntegerField(allow_null=True)
    paused = serializers.BooleanField()
    running = serializers.IntegerField()


class Storage(_Any):
    artifact_bytes = serializers.IntegerField(
        help_text="Artifacts and uploaded versions; at most half a minute old, as the next two."
    )
    artifact_free_bytes = serializers.IntegerField(
        allow_null=True, help_text="null for a storage that is no folder."
    )
    artifact_total_bytes = serializers.IntegerField(allow_null=True)
    database_bytes = serializers.IntegerField()
    log_bytes = serializers.IntegerField()


class Failures(_Any):
    reason = serializers.ChoiceField(choices=[reason.value for reason in FailureReason])
    count = serializers.IntegerField()
    last_at = serializers.DateTimeField()
    job = serializers.UUIDField(help_text="The last one.")
    remedy = serializers.CharField()


class Reconcile(_Any):
    lag_seconds = serializers.FloatField(
        allow_null=True, help_text="Since the last whole look at the cluster seen longest ago."
    )


class SystemShape(_Any):
    headline = Headline()
    components = Component(many=True)
    queues = Queue(many=True)
    workers = Worker(many=True, help_text="The longest running first, at most 100.")
    workers_total = serializers.IntegerField()
    capacity = Capacity(many=True)
    limits = LimitInForce(many=True)
    storage = Storage()
    versions = serializers.DictField(child=serializers.CharField())
    failures = Failures(many=True, help_text="Of the last 24 hours.")
    reconcile = Reconcile()
