"""Bodies in and out. Output serializers are the OpenAPI document's; `shapes.py` builds the dicts."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.fields import empty

from mimir.api.fields import ObjectField, PatternField, WholeNumberField
from mimir.lib.schemas.column_changes import ChangeKind
from mimir.lib.schemas.steptype import Makes
from projects.models import DataFormat, ProjectStatus, Role
from projects.names import NAME_PATTERN, NAME_RULE, SLUG_PATTERN, SLUG_RULE

_Any = serializers.Serializer[Any]


class SessionRequest(_Any):
    username = serializers.CharField(max_length=150)
    password = serializers.CharField(max_length=1000, trim_whitespace=False)


class SessionMade(_Any):
    token = serializers.CharField()
    expires_at = serializers.DateTimeField()


class SessionInfo(_Any):
    username = serializers.CharField()
    is_staff = serializers.BooleanField(help_text="May open the admin.")
    expires_at = serializers.DateTimeField(allow_null=True)


class Session(_Any):
    id = serializers.UUIDField()
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)
    last_used_at = serializers.DateTimeField(allow_null=True)
    address = serializers.CharField(help_text="Of whoever signed in.")
    client = serializers.CharField(help_text="Its User-Agent.")
    current = serializers.BooleanField(help_text="The one of this request.")


class SessionsEnded(_Any):
    ended_sessions = serializers.IntegerField()


class PasswordRequest(_Any):
    current_password = serializers.CharField(max_length=1000, trim_whitespace=False)
    new_password = serializers.CharField(
        max_length=1000, trim_whitespace=False, help_text="At least 12 characters."
    )
    end_tokens = serializers.BooleanField(
        required=False, default=True, help_text="End your API tokens too."
    )


class PasswordChanged(SessionsEnded):
    ended_tokens = serializers.IntegerField()


class TokenRequest(_Any):
    name = serializers.CharField(max_length=200)
    expires_at = serializers.DateTimeField(required=False, allow_null=True)


class Token(_Any):
    id = serializers.UUIDField()
    name = serializers.CharField()
    hint = serializers.CharField(help_text="Its last characters.")
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)
    last_used_at = serializers.DateTimeField(allow_null=True)


class TokenMade(Token):
    token = serializers.CharField(help_text="Shown once.")


class ProjectRequest(_Any):
    slug = PatternField(SLUG_PATTERN, SLUG_RULE)
    name = serializers.CharField(max_length=200)
    description = serializers.CharField(
        max_length=10_000, required=False, allow_blank=True, default=""
    )


class ProjectChange(_Any):
    name = serializers.CharField(max_length=200, required=False)
    description = serializers.CharField(max_length=10_000, required=False, allow_blank=True)
    status = serializers.ChoiceField(choices=ProjectStatus.choices, required=False)


class ProjectShape(_Any):
    slug = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    status = serializers.ChoiceField(choices=ProjectStatus.choices)
    role = serializers.ChoiceField(choices=Role.choices, help_text="Yours.")
    created_at = serializers.DateTimeField()


class ProjectDetail(ProjectShape):
    stored_bytes = serializers.IntegerField(
        help_text="Of uploaded dataset versions and of all artifacts of jobs."
    )
    stored_bytes_max = serializers.IntegerField(
        allow_null=True, help_text="The quota; null: no limit. An administrator can change it."
    )


class MemberRequest(_Any):
    role = serializers.ChoiceField(choices=Role.choices)


class MemberAddRequest(_Any):
    username = serializers.CharField(max_length=150)
    role = serializers.ChoiceField(choices=Role.choices)


class Member(_Any):
    username = serializers.CharField()
    role = serializers.ChoiceField(choices=Role.choices)
    created_at = serializers.DateTimeField()


class ColumnShape(_Any):
    name = serializers.CharField()
    type = serializers.CharField(help_text="As DuckDB names it.")
    empty = serializers.BooleanField(
        required=False, help_text="true: the column has no values, so its type is a guess."
    )


class DatasetVersionShape(_Any):
    number = serializers.IntegerField()
    format = serializers.ChoiceField(choices=DataFormat.choices)
    row_count = serializers.IntegerField()
    size_bytes = serializers.IntegerField()
    sha256 = serializers.CharField()
    schema = ColumnShape(many=True)
    created_at = serializers.DateTimeField()
    created_by = serializers.CharField(allow_null=True)
    job = serializers.UUIDField(
        allow_null=True, help_text="The job that made it; null for an upload."
    )
    current = serializers.BooleanField(help_text="Whether jobs that name no version read this one.")


class DatasetShape(_Any):
    name = serializers.CharField()
    created_at = serializers.DateTimeField()
    version = DatasetVersionShape(help_text="The current one.")


class ColumnChangeShape(_Any):
    kind = serializers.ChoiceField(choices=[kind.value for kind in ChangeKind])
    column = serializers.CharField()
    before = serializers.CharField(
        allow_blank=True, help_text="Type in the version before; empty for a new column."
    )
    after = serializers.CharField(
        allow_blank=True, help_text="Type in this version; empty for a column that is missing."
    )
    message = serializers.CharField()


class UseShape(_Any):
    kind = serializers.ChoiceField(choices=["job", "pipeline", "dataset", "model", "twin"])
    name = serializers.CharField()
    version = serializers.IntegerField(allow_null=True)
    message = serializers.CharField()


class WarningShape(_Any):
    code = serializers.CharField()
    params = serializers.DictField(child=serializers.JSONField(allow_null=True))
    message = serializers.CharField(help_text="The sentence for people.")


class DatasetVersionDetail(DatasetVersionShape):
    name = serializers.CharField(help_text="Of the dataset.")
    packing = serializers.CharField(
        allow_blank=True,
        help_text="gzip, zstd, bzip2, xz or zip; empty: the file was sent unpacked.",
    )
    reading = serializers.DictField(
        child=serializers.JSONField(allow_null=True),
        help_text="The options that the file was read with.",
    )
    warnings = WarningShape(
        many=True, help_text="What was changed or noticed when the file was read."
    )
    compared_with = serializers.IntegerField(
        allow_null=True, help_text="The version before this one; null for the first."
    )
    column_changes = ColumnChangeShape(
        many=True, help_text="Columns that differ from the version before."
    )
    uses = UseShape(
        many=True,
        allow_null=True,
        help_text="What keeps the version from being deleted, at most 20; null in the answer of an upload.",
    )


class DatasetChange(_Any):
    current_version = WholeNumberField(1, 10**9)


class DatasetMade(_Any):
    name = serializers.CharField()
    version = DatasetVersionDetail()


class DatasetVersions(_Any):
    name = serializers.CharField()
    created_at = serializers.DateTimeField()
    current_version = serializers.IntegerField()
    versions = DatasetVersionShape(many=True)
    next = serializers.CharField(allow_null=True)


@extend_schema_field({"type": "string", "format": "binary"})
class UploadedFile(serializers.FileField):
    """In a request: bytes. drf-spectacular would describe what an answer has, a URL."""


class FormBoolean(serializers.BooleanField):
    """A truth value in a multipart form: absent means the default, not false as in an HTML form with a tick box."""

    default_empty_html = empty


class Rows(_Any):
    columns = ColumnShape(many=True)
    rows = serializers.ListField(
        child=serializers.ListField(child=serializers.JSONField(allow_null=True))
    )
    truncated = serializers.BooleanField(help_text="There are more rows.")


class Histogram(_Any):
    edges = serializers.ListField(
        child=serializers.JSONField(), help_text="One more than counts: numbers, or times as text."
    )
    counts = serializers.ListField(child=serializers.IntegerField())


class CommonValue(_Any):
    value = serializers.CharField()
    count = serializers.IntegerField()


class ColumnProfile(_Any):
    name = serializers.CharField()
    type = serializers.CharField(help_text="As DuckDB names it.")
    kind = serializers.ChoiceField(choices=["number", "category", "time", "boolean", "other"])
    missing = serializers.IntegerField(allow_null=True, help_text="Empty cells and NaN.")
    distinct = serializers.IntegerField(allow_null=True, help_text="Different values.")
    min = serializers.JSONField(allow_null=True, help_text="A number, or a time as text.")
    max = serializers.JSONField(allow_null=True)
    mean = serializers.FloatField(allow_null=True)
    std = serializers.FloatField(allow_null=True, help_text="Of a sample.")
    histogram = Histogram(allow_null=True, help_text="Of numbers and times: at most 20 bins.")
    top = CommonValue(
        many=True, allow_null=True, help_text="Of text and truth values: the 10 most common."
    )


class ProfileShape(_Any):
    row_count = serializers.IntegerField()
    columns = ColumnProfile(many=True)
    fault = serializers.CharField(
        allow_blank=True, help_text="What could not be described, and why; empty when all could."
    )


class PipelineRequest(_Any):
    name = PatternField(NAME_PATTERN, NAME_RULE)
    definition = ObjectField()


class DefinitionRequest(_Any):
    definition = serializers.JSONField(
        allow_null=True, help_text="Any JSON: what is wrong with it is the answer."
    )


class PipelineVersionShape(_Any):
    number = serializers.IntegerField()
    definition = serializers.JSONField()
    created_at = serializers.DateTimeField()
    created_by = serializers.CharField(allow_null=True)


class PipelineShape(_Any):
    name = serializers.CharField()
    created_at = serializers.DateTimeField()
    version = PipelineVersionShape(help_text="The newest one.")


class PipelineVersions(_Any):
    name = serializers.CharField()
    created_at = serializers.DateTimeField()
    versions = PipelineVersionShape(many=True)
    next = serializers.CharField(allow_null=True)


class StepTypeShape(_Any):
    """One type of pipeline step."""

    name = serializers.CharField(help_text="The value of `uses` in a step.")
    title = serializers.CharField()
    help = serializers.CharField(help_text="What the step does, in one or two sentences.")
    fields = serializers.DictField(help_text="The JSON Schema of `with` in a step.")  # type: ignore[assignment]
    example = serializers.DictField(help_text="An example of `with`.")
    makes = serializers.ChoiceField(
        choices=[kind.value for kind in Makes],
        help_text="step_table: one table, named by the id of the step. declared: the tables that"
        " a field with format new-tables lists. nothing: no table.",
    )


class StepTypes(_Any):
    results = StepTypeShape(many=True)


class FaultShape(_Any):
    path = serializers.CharField(help_text="Of the bad field, such as steps[1].with.query.")
    message = serializers.CharField()
    detail = serializers.CharField(
        required=False, help_text="The SQL engine's own words, where the message translates them."
    )


class GraphNode(_Any):
    id = serializers.CharField()
    uses = serializers.CharField()


class Graph(_Any):
    nodes = GraphNode(many=True)
    edges = serializers.ListField(
        child=serializers.ListField(child=serializers.CharField(), min_length=2, max_length=2)
    )


class CheckFault(FaultShape):
    kind = serializers.ChoiceField(
        choices=["definition", "data"],
        help_text="definition: forbids saving. data: does not fit the datasets and columns of now; it can be saved, a job would fail.",
    )


class CheckedStep(_Any):
    id = serializers.CharField()
    uses = serializers.CharField()
    status = serializers.ChoiceField(choices=["checked", "failed", "not_checked"])
    message = serializers.CharField(
        help_text="What was checked, what is wrong, or why it is not checked."
    )


class DefinitionCheck(_Any):
    valid = serializers.BooleanField(help_text="No error of either kind.")
    can_be_saved = serializers.BooleanField(help_text="No error of kind definition.")
    errors = CheckFault(many=True)  # type: ignore[assignment]
    steps = CheckedStep(
        many=True, help_text="In the order of the run; empty while an error forbids saving."
    )
    summary = serializers.CharField(help_text="What was checked and what was not, in words.")
    graph = Graph()


class PipelineSavedShape(PipelineShape):
    created = serializers.BooleanField(
        help_text="False: the definition is that of the current version already, and no version was created."
    )
    warnings = FaultShape(
        many=True, help_text="What does not fit the datasets and columns of now: a job would fail."
    )
