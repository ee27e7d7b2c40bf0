"""Body of a project's summary. Output serializers are used in the OpenAPI document only."""

from typing import Any

from rest_framework import serializers

from jobs.api.serializers import JobShape, NextStep
from jobs.contract import JobStatus
from jobs.types.registry import job_type_names

_Any = serializers.Serializer[Any]
_MADE = ["dataset", "model", "twin"]


class SummaryCounts(_Any):
    succeeded = serializers.IntegerField(help_text="In the last 24 hours.")
    failed = serializers.IntegerField(help_text="In the last 24 hours.")
    cancelled = serializers.IntegerField(help_text="In the last 24 hours.")
    running = serializers.IntegerField(help_text="Now: with a worker, or with one on its way.")
    waiting = serializers.IntegerField(help_text="Now.")


class Attention(_Any):
    kind = serializers.ChoiceField(choices=["failed_job"])
    job = JobShape(allow_null=True)
    title = serializers.CharField()
    summary = serializers.CharField(allow_blank=True)
    next_steps = NextStep(many=True)


class Hour(_Any):
    at = serializers.DateTimeField(help_text="Its beginning. The last one ends now.")
    succeeded = serializers.IntegerField()
    failed = serializers.IntegerField()
    cancelled = serializers.IntegerField()


class ResultShape(_Any):
    kind = serializers.ChoiceField(choices=_MADE)
    name = serializers.CharField()
    version = serializers.IntegerField(help_text="Of a twin: the revision.")
    job = serializers.UUIDField()
    at = serializers.DateTimeField()


class UsageNow(_Any):
    running = serializers.IntegerField(help_text="Workers.")
    limit = serializers.IntegerField(
        allow_null=True,
        help_text="Of jobs that run at once in this project; null: none of its own.",
    )
    cpu_millicores = serializers.IntegerField(help_text="Held by its workers.")
    memory_bytes = serializers.IntegerField(help_text="Held by its workers.")


class RunShape(_Any):
    job = serializers.UUIDField()
    status = serializers.ChoiceField(choices=[status.value for status in JobStatus])
    seconds = serializers.FloatField(allow_null=True, help_text="From the first claim to the end.")
    finished_at = serializers.DateTimeField(allow_null=True)


class ProducerShape(_Any):
    kind = serializers.ChoiceField(choices=_MADE)
    name = serializers.CharField()
    version = serializers.IntegerField()
    job_type = serializers.ChoiceField(choices=job_type_names())
    title = serializers.CharField(help_text="Of what makes it.")
    last = RunShape(many=True, help_text="The last 20 runs, oldest first.")
    usual_seconds = serializers.FloatField(
        allow_null=True, help_text="The median of those that succeeded."
    )
    last_good_at = serializers.DateTimeField(allow_null=True)


class Summary(_Any):
    counts = SummaryCounts()
    attention = Attention(
        many=True,
        help_text="At most 5: the newest failure of what has not succeeded since, of the last 7 days.",
    )
    hourly = Hour(many=True, help_text="24, oldest first.")
    results = ResultShape(many=True, help_text="At most 8, newest first.")
    usage = UsageNow()
    producers = ProducerShape(
        many=True,
        help_text="At most 12 datasets, models and twins that a job made last, newest first.",
    )
