"""Bodies of the public API. Output serializers are used in the OpenAPI document only."""

from typing import Any, TypedDict

from rest_framework import serializers

from jobs.admission.limits import MAX_JOBS
from jobs.api import document as _document  # noqa: F401 - registers an OpenAPI extension
from jobs.api.serializers_recommendation import Recommendation, Recommended
from jobs.api.serializers_results import ResultField
from jobs.contract import EventKind, JobStatus, Priority
from jobs.lifecycle.submit import ATTEMPTS_MAX, TIMEOUT_SECONDS_MAX, JobFields
from jobs.models import Limit
from jobs.reasons import Actor
from jobs.types.registry import SPECS, job_type_names
from jobs.types.spec import KINDS
from mimir.api.fields import WholeNumberField

_Any = serializers.Serializer[Any]
_KINDS = ", ".join(f"`{kind.value}`" for kind in EventKind)


class JobRequest(serializers.Serializer[JobFields]):
    type = serializers.ChoiceField(choices=job_type_names())
    parameters = serializers.JSONField()
    name = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")
    labels = serializers.DictField(
        child=serializers.CharField(max_length=200, allow_blank=True), required=False, default=dict
    )
    priority = serializers.ChoiceField(
        choices=[priority.value for priority in Priority],
        required=False,
        allow_null=True,
        help_text="Default by type: "
        + ", ".join(f"{name} {spec.default_priority.value}" for name, spec in SPECS.items()),
    )
    resources = serializers.DictField(
        required=False,
        allow_null=True,
        help_text='Limits: {"cpu": "2", "memory": "4Gi", "memory_max": "16Gi", "gpu": 0}. A limit'
        " above the default of the type raises the request too. Empty: the default of the type or,"
        " in a project with automatic resources, the recommended limits. With `memory_max`, an"
        " attempt that runs out of memory is followed by one with twice the memory, up to"
        " `memory_max`. These retries do not count against `max_attempts`.",
    )
    timeout_seconds = WholeNumberField(
        1,
        TIMEOUT_SECONDS_MAX,
        required=False,
        allow_null=True,
        help_text="Time limit of each attempt, from its claim.",
    )
    max_attempts = WholeNumberField(1, ATTEMPTS_MAX, required=False, allow_null=True)
    cluster = serializers.CharField(
        max_length=63,
        required=False,
        allow_null=True,
        allow_blank=True,
        help_text="Name of the cluster to run on. Empty: any with free capacity.",
    )
    region = serializers.CharField(
        max_length=63,
        required=False,
        allow_null=True,
        allow_blank=True,
        help_text="Run on a cluster of this region. Empty: any.",
    )


class NextStep(_Any):
    label = serializers.CharField()  # type: ignore[assignment]
    patch = serializers.DictField(
        allow_null=True,
        help_text="Changed fields of a new request. {}: no change. null: a person must act first.",
    )
    actor = serializers.ChoiceField(
        choices=[each.value for each in (Actor.NOBODY, Actor.USER, Actor.ADMINISTRATOR)],
        help_text="Person who must act: the user, an administrator, or nobody (waiting is enough).",
    )


class Diagnosis(_Any):
    category = serializers.CharField(help_text="The failure reason or the waiting reason.")
    code = serializers.CharField(help_text="The category, with a suffix for its exact cause.")
    params = serializers.DictField(
        help_text="Values used in the texts. Their names depend on the code."
    )
    summary = serializers.CharField()
    detail = serializers.CharField()
    next_steps = NextStep(many=True)


class RuleCheck(_Any):
    rule = serializers.CharField()
    passes = serializers.BooleanField()
    detail = serializers.CharField()


class Waiting(_Any):
    position = serializers.IntegerField()
    blocked_by = serializers.CharField()
    detail = serializers.CharField()
    estimate_seconds = serializers.FloatField(allow_null=True)
    rules = RuleCheck(many=True)


class Away(_Any):
    what = serializers.ChoiceField(
        choices=["cluster", "node"],
        help_text="The unreachable part: the cluster, or the worker's node in it.",
    )
    cluster = serializers.CharField()
    since = serializers.DateTimeField(
        help_text="Time of the first failed request to the cluster; for a node, time of the"
        " worker's last heartbeat."
    )
    heard_at = serializers.DateTimeField(
        allow_null=True, help_text="Time of the worker's last heartbeat; null: none yet."
    )
    lost_at = serializers.DateTimeField(
        allow_null=True,
        help_text="Estimated time at which the worker counts as lost; null: at its launch timeout.",
    )
    detail = serializers.CharField()


class Progress(_Any):
    fraction = serializers.FloatField(allow_null=True)
    message = serializers.CharField()


class Quantities(_Any):
    cpu = serializers.CharField()
    memory = serializers.CharField()
    gpu = serializers.IntegerField()


class Resources(Quantities):
    requests = Quantities()


class JobResources(Resources):
    memory_max = serializers.CharField(
        allow_null=True,
        help_text="Largest memory limit of a retry after an attempt ran out of memory."
        " null: `memory` does not change.",
    )
    recommended = Recommended(
        allow_null=True,
        help_text="Limits from earlier runs, in a project with automatic resources; null: the"
        " limits are from the request or the type.",
    )


class JobShape(_Any):
    id = serializers.UUIDField()
    project = serializers.CharField()
    name = serializers.CharField()
    labels = serializers.DictField(child=serializers.CharField())
    created_by = serializers.CharField(allow_null=True)
    type = serializers.ChoiceField(choices=job_type_names())
    status = serializers.ChoiceField(choices=[status.value for status in JobStatus])
    status_label = serializers.CharField(
        help_text="Readable status, with the attempt number from the second attempt on."
    )
    status_text = serializers.CharField(
        help_text="One readable sentence: progress, waiting reason, failure or result."
    )
    reason = serializers.CharField()
    message = serializers.CharField()
    diagnosis = Diagnosis(allow_null=True)
    priority = serializers.ChoiceField(choices=[priority.value for priority in Priority])
    parameters = serializers.DictField()
    inputs = serializers.ListField(
        child=serializers.DictField(), help_text="Versions that the job reads, fixed at submit."
    )
    resources = JobResources(
        help_text="Of the current or next attempt. Attempts have the memory that they ran with."
    )
    timeout_seconds = serializers.IntegerField()
    progress = Progress()
    attempt = serializers.IntegerField()
    attempts_used = serializers.IntegerField(
        help_text="Attempts that counted against max_attempts."
    )
    max_attempts = serializers.IntegerField()
    cluster = serializers.CharField(
        allow_null=True,
        help_text="The requested cluster; null: any. Attempts have the actual cluster.",
    )
    region = serializers.CharField(allow_null=True, help_text="The requested region; null: any.")
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    cancel_requested_at = serializers.DateTimeField(allow_null=True)
    result = ResultField(
        allow_null=True, help_text="Result of a succeeded job. Its schema depends on the type."
    )
    waiting = Waiting(allow_null=True)
    away = Away(
        allow_null=True,
        help_text="Set for a live job whose cluster or node is unreachable and whose worker sends"
        " no heartbeats.",
    )
    retry_of = serializers.UUIDField(allow_null=True)


class JobTypeShape(_Any):
    type = serializers.ChoiceField(choices=job_type_names())
    title = serializers.CharField(help_text="For example `Training`.")
    icon = serializers.CharField(help_text="Name of its icon in the web pages.")
    summary = serializers.CharField(help_text="Purpose of the type, in a few words.")
    heading = serializers.CharField(help_text="Heading of the parameters in a form.")
    button = serializers.CharField(help_text="Label of the form's submit button.")
    job_title = serializers.CharField(
        help_text="Title of a job without a name. `{model}` stands for the parameter `model`."
    )
    subject = serializers.ChoiceField(
        choices=KINDS,
        allow_null=True,
        help_text="The parameter with the name of the job's subject.",
    )
    output = serializers.CharField(
        allow_null=True,
        help_text="The parameter with the name of the object that gets a new version.",
    )
    parameters = serializers.DictField(
        help_text="JSON Schema (2020-12) of `parameters`. Keywords that begin with `x-` are hints"
        " for forms."
    )
    resources = Resources(help_text="Defaults of the type.")
    default_priority = serializers.ChoiceField(choices=[priority.value for priority in Priority])
    reads = serializers.ListField(child=serializers.ChoiceField(choices=KINDS))
    produces = serializers.ListField(
        child=serializers.ChoiceField(choices=KINDS),
        help_text="Kinds of objects that get a new version from a successful job.",
    )


class Alternative(_Any):
    request = serializers.DictField(
        help_text="The changed fields, as a JSON merge patch of the request."
    )
    detail = serializers.CharField(help_text="The change and its start in one sentence.")
    cluster = serializers.CharField(allow_null=True, help_text="null: unknown.")
    estimate_seconds = serializers.FloatField(
        allow_null=True,
        help_text="0: it would start now. null: unknown, but no cluster can hold the unchanged"
        " request.",
    )


class Start(Waiting):
    starts_now = serializers.BooleanField()
    cluster = serializers.CharField(
        allow_null=True, help_text="The cluster on which it would start; null: unknown."
    )
    alternatives = Alternative(
        many=True, help_text="Changed requests that would start clearly sooner, or at all."
    )
    retry_memory_limit = serializers.CharField(
        allow_null=True,
        help_text="The largest memory limit of a retry that a cluster can hold; null: `memory_max`"
        " does not exceed it.",
    )


class DryRun(_Any):
    valid = serializers.BooleanField()
    priority = serializers.CharField()
    resources = JobResources()
    memory_from_job = serializers.UUIDField(
        allow_null=True,
        help_text="The last successful job with the same output, whose raised memory this job"
        " starts with. null: `memory` was requested, or is the default.",
    )
    recommendation = Recommendation(
        help_text="Limits that fit earlier runs, compared with the limits above."
    )
    timeout_seconds = serializers.IntegerField()
    max_attempts = serializers.IntegerField()
    cluster = serializers.CharField(allow_null=True)
    region = serializers.CharField(allow_null=True)
    inputs = serializers.ListField(child=serializers.DictField())
    start = Start(allow_null=True, help_text="null without `explain`.")


class EventShape(_Any):
    seq = serializers.IntegerField(help_text="Counts from 1 within the job, without gaps.")
    at = serializers.DateTimeField()
    attempt = serializers.IntegerField()
    kind = serializers.ChoiceField(
        choices=[kind.value for kind in EventKind], help_text=f"One of {_KINDS}."
    )
    data = serializers.DictField()  # type: ignore[assignment]


class ArtifactShape(_Any):
    name = serializers.CharField()
    size_bytes = serializers.IntegerField()
    sha256 = serializers.CharField()
    media_type = serializers.CharField()
    url = serializers.CharField(help_text="Path of the file.")


class AttemptShape(_Any):
    number = serializers.IntegerField()
    cluster = serializers.CharField(help_text="Cluster of its worker.")
    reason = serializers.CharField()
    message = serializers.CharField()
    created_at = serializers.DateTimeField()
    launched_at = serializers.DateTimeField(allow_null=True)
    claimed_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    gone_at = serializers.DateTimeField(allow_null=True)
    exit_code = serializers.IntegerField(allow_null=True)
    exit_signal = serializers.IntegerField(allow_null=True)
    peak_memory_bytes = serializers.IntegerField(allow_null=True)
    cpu_sustained_millicores = serializers.IntegerField(
        allow_null=True,
        help_text="CPU use that the attempt exceeded for 5 % of its time. Null: it did not succeed,"
        " or had too few samples.",
    )
    memory_limit_bytes = serializers.IntegerField()
    memory_raised_to_bytes = serializers.IntegerField(
        allow_null=True,
        help_text="Memory limit of the next attempt, raised because this one ran out of memory.",
    )
    counts = serializers.BooleanField(help_text="Whether it used up one of the job's attempts.")
    log_end = serializers.IntegerField()
    log_complete = serializers.BooleanField()


class MatchShape(_Any):
    offset = serializers.IntegerField(help_text="Start of the line, in stored bytes.")
    line = serializers.IntegerField(help_text="Line number, from 1.")
    text = serializers.CharField()
    match_start = serializers.IntegerField()
    match_length = serializers.IntegerField()


class SearchShape(_Any):
    results = MatchShape(many=True)
    next = serializers.CharField(allow_null=True)
    searched_fraction = serializers.FloatField()


class UsageShape(_Any):
    at = serializers.DateTimeField()
    memory_bytes = serializers.IntegerField()
    cpu_millicores = serializers.IntegerField()


class Usage(_Any):
    results = UsageShape(many=True)
    limit_bytes = serializers.IntegerField(allow_null=True)
    recommendation = Recommendation(
        allow_null=True,
        help_text="Limits that fit the last runs, compared with those of this job; null for a job"
        " that has not ended.",
    )


class LimitFields(TypedDict):
    """Validated limit."""

    scope: str
    key: str
    max_jobs: int | None
    paused: bool


class LimitShape(serializers.Serializer[LimitFields]):
    scope = serializers.ChoiceField(choices=Limit.Scope.choices)
    key = serializers.CharField(
        max_length=63,
        allow_blank=True,
        default="",
        help_text="Empty, a job type or a project's slug.",
    )
    max_jobs = serializers.IntegerField(allow_null=True, required=False, default=None)
    paused = serializers.BooleanField(required=False, default=False)


class LimitChange(LimitShape):
    max_jobs = WholeNumberField(
        0, MAX_JOBS, allow_null=True, required=False, default=None, help_text="null: no limit."
    )


class LimitsShape(_Any):
    results = LimitShape(many=True)
    next = serializers.CharField(allow_null=True)
