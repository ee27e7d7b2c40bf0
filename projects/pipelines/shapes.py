"""Request and response bodies of pipelines and their versions."""

import datetime as dt
from collections.abc import Mapping
from typing import Any, TypedDict

from rest_framework import serializers

from mimir.api.fields import ObjectField, PatternField
from mimir.lib.json_types import Json, JsonObject
from mimir.lib.schemas.schema_types import JsonSchema
from mimir.lib.schemas.steptype import Makes
from projects.core.names import NAME_PATTERN, NAME_RULE
from projects.models import (
    PipelineVersion,
)

_Any = serializers.Serializer[Any]


class PipelineFields(TypedDict):
    """Checked request to save a pipeline. The definition is not checked yet."""

    name: str
    definition: JsonObject


class PipelineRequest(serializers.Serializer[PipelineFields]):
    name = PatternField(NAME_PATTERN, NAME_RULE)
    definition = ObjectField()


class DefinitionFields(TypedDict):
    """Request to check a definition."""

    definition: Json


class DefinitionRequest(serializers.Serializer[DefinitionFields]):
    definition = serializers.JSONField(
        allow_null=True, help_text="Any JSON value. The answer lists its faults."
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
    help = serializers.CharField(help_text="Description of the step in one or two sentences.")
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
    path = serializers.CharField(help_text="Path of the field, such as steps[1].with.query.")
    message = serializers.CharField()
    detail = serializers.CharField(
        required=False, help_text="The original message of the SQL engine, if there is one."
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
        help_text="definition: cannot be saved. data: does not match the present datasets and"
        " columns; it can be saved, but a job would fail.",
    )


class CheckedStep(_Any):
    id = serializers.CharField()
    uses = serializers.CharField()
    status = serializers.ChoiceField(choices=["checked", "failed", "not_checked"])
    message = serializers.CharField(
        help_text="The result of the check, or why the step is not checked."
    )


class DefinitionCheck(_Any):
    valid = serializers.BooleanField(help_text="No error of either kind.")
    can_be_saved = serializers.BooleanField(help_text="No error of kind definition.")
    errors = CheckFault(many=True)  # type: ignore[assignment]
    steps = CheckedStep(
        many=True, help_text="In the order of the run; empty if the definition cannot be saved."
    )
    summary = serializers.CharField(help_text="A sentence about checked and unchecked parts.")
    graph = Graph()


class PipelineSavedShape(PipelineShape):
    created = serializers.BooleanField(
        help_text="false: the definition equals the current version; no version was created."
    )
    warnings = FaultShape(
        many=True, help_text="Mismatches with the present datasets and columns: a job would fail."
    )


class PipelineVersionBody(TypedDict):
    """A version of a pipeline."""

    number: int
    definition: object
    created_at: dt.datetime
    created_by: str | None


class StepTypeBody(TypedDict):
    """One type of pipeline step."""

    name: str
    title: str
    help: str
    fields: JsonSchema
    example: Mapping[str, object]
    makes: str


class FaultBody(TypedDict):
    """An error of a definition. `detail` is empty without a message of the SQL engine."""

    path: str
    message: str
    detail: str


def pipeline_version(row: PipelineVersion) -> PipelineVersionBody:
    """Return one version of a pipeline."""
    return {
        "number": row.number,
        "definition": row.definition,
        "created_at": row.created_at,
        "created_by": row.created_by.get_username() if row.created_by else None,
    }
