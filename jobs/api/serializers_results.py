"""What a job of each type comes to. For the OpenAPI document: outcomes make them, see `jobs/types/`."""

from typing import Any

from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema_field
from rest_framework import serializers

_Any = serializers.Serializer[Any]


class MadeVersion(_Any):
    name = serializers.CharField()
    version = serializers.IntegerField()


class StepResult(_Any):
    id = serializers.CharField()
    uses = serializers.CharField(required=False)
    status = serializers.CharField(required=False)
    seconds = serializers.FloatField(required=False, allow_null=True)
    rows = serializers.IntegerField(required=False, allow_null=True)


class PipelineExecutionResult(_Any):
    datasets = MadeVersion(many=True)
    steps = StepResult(many=True)


class MlTrainingResult(_Any):
    model = serializers.CharField()
    version = serializers.IntegerField()
    metrics = serializers.DictField(
        child=serializers.FloatField(allow_null=True), help_text="On the held-out part."
    )
    baseline = serializers.DictField(
        child=serializers.FloatField(allow_null=True),
        help_text="The same metrics of a trivial model.",
    )


class MlInferenceResult(_Any):
    datasets = MadeVersion(many=True)
    rows = serializers.IntegerField()


class DigitalTwinUpdateResult(_Any):
    twin = serializers.CharField()
    revision = serializers.IntegerField(help_text="The newest when nothing changed.")
    created = serializers.IntegerField(help_text="Entities.")
    changed = serializers.IntegerField()
    removed = serializers.IntegerField()


@extend_schema_field(
    PolymorphicProxySerializer(
        component_name="JobResult",
        serializers=[
            PipelineExecutionResult,
            MlTrainingResult,
            MlInferenceResult,
            DigitalTwinUpdateResult,
        ],
        resource_type_field_name=None,
    )
)
class ResultField(serializers.DictField):
    """The result of a job that succeeded."""
