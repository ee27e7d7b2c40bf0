"""Body of a project's summary. Output serializers are used in the OpenAPI document only."""

from typing import Any

from rest_framework import serializers

from jobs.api.serializers import JobShape, NextStep
from jobs.contract import JobStatus
from jobs.types.registry import job_type_names

_Any = serializers.Serializer[Any]
_RESULT_KINDS = ["dataset", "model", "twin"]


class SummaryCounts(_Any):
    succeeded = serializers.IntegerField(help_text="In the last 24 hours.")
    failed = serializers.IntegerField(help_text="In the last 24 hours.")
    cancelled = serializers.IntegerField(help_text="In the last 24 hours.")
    running = serializers.IntegerField(
        help_text="Current number with a worker or with a worker being launched."
    )
    waiting = serializers.IntegerField(help_text="Current number.")


class Attention(_Any):
    kind = serializers.ChoiceField(choices=["failed_job"])
    job = JobShape(allow_null=True)
    title = serializers.CharField()
    summary = serializers.CharField(allow_blank=True)
    next_steps = NextStep(many=True)


class Hour(_Any):
    at = serializers.DateTimeField(help_text="Start of the hour. The last hour ends now.")
    succeeded = serializers.IntegerField()
    failed = serializers.IntegerField()
    cancelled = serializers.IntegerField()


class ResultShape(_Any):
    kind = serializers.ChoiceField(choices=_RESULT_KINDS)
    name = serializers.CharField()
    version = serializers.IntegerField(help_text="Version; of a twin, the revision.")
    job = serializers.UUIDField()
    at = serializers.DateTimeField()


class UsageNow(_Any):
    running = serializers.IntegerField(help_text="Number of workers.")
    limit = serializers.IntegerField(
        allow_null=True,
        help_text="Limit of concurrent jobs in this project; null: no project limit.",
    )
    cpu_millicores = serializers.IntegerField(help_text="Held by its workers.")
    memory_bytes = serializers.IntegerField(help_text="Held by its workers.")


class RunShape(_Any):
    job = serializers.UUIDField()
    status = serializers.ChoiceField(choices=[status.value for status in JobStatus])
    seconds = serializers.FloatField(allow_null=True, help_text="From the first claim to the end.")
    finished_at = serializers.DateTimeField(allow_null=True)


class ProducerShape(_Any):
    kind = serializers.ChoiceField(choices=_RESULT_KINDS)
    name = serializers.CharField()
    version = serializers.IntegerField()
    job_type = serializers.ChoiceField(choices=job_type_names())
    title = serializers.CharField(help_text="Title of the jobs that produce it.")
    last = RunShape(many=True, help_text="The last 20 runs, oldest first.")
    usual_seconds = serializers.FloatField(
        allow_null=True, help_text="Median duration of the succeeded runs."
    )
    last_good_at = serializers.DateTimeField(allow_null=True)


class Summary(_Any):
    counts = SummaryCounts()
    attention = Attention(
        many=True,
        help_text="At most 5: the newest failure of each work without a later success, in the last"
        " 7 days.",
    )
    hourly = Hour(many=True, help_text="The last 24 hours, oldest first.")
    results = ResultShape(many=True, help_text="At most 8, newest first.")
    usage = UsageNow()
    producers = ProducerShape(
        many=True,
        help_text="At most 12 datasets, models and twins with the latest results, newest first.",
    )
