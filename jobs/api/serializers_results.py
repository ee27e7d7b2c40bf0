"""Results of succeeded jobs in the OpenAPI document. Each type's `outcome` defines its schema."""

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
    """Result of a succeeded job; its schema depends on the type."""
