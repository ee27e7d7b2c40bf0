"""Results of succeeded jobs in the API document. Their shapes stand beside the outcomes."""

from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema_field
from rest_framework import serializers

from jobs.types.outcome import result_shapes


@extend_schema_field(
    PolymorphicProxySerializer(
        component_name="JobResult",
        serializers=result_shapes(),
        resource_type_field_name=None,
    )
)
class ResultField(serializers.DictField):
    """The result of a job that succeeded; its shape depends on the type."""
