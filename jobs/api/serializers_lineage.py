"""Body of the lineage. Output serializers are used in the OpenAPI document only."""

from typing import Any

from rest_framework import serializers

from jobs.contract import JobStatus
from jobs.queries.lineage import NodeKind
from jobs.types.registry import job_type_names

_Any = serializers.Serializer[Any]


class LineageNode(_Any):
    id = serializers.CharField(
        help_text="For example dataset:weather@1, twin:town@3 (a revision), job:<id>."
    )
    kind = serializers.ChoiceField(choices=[kind.value for kind in NodeKind])
    name = serializers.CharField(allow_blank=True)
    version = serializers.IntegerField(allow_null=True, help_text="null for a job.")
    job_type = serializers.ChoiceField(
        choices=job_type_names(), allow_null=True, help_text="Set for a job."
    )
    status = serializers.ChoiceField(
        choices=[status.value for status in JobStatus], allow_null=True, help_text="Set for a job."
    )
    at = serializers.DateTimeField(help_text="Time of creation or submission.")
    by = serializers.CharField(allow_null=True)


class LineageEdge(_Any):
    to = serializers.CharField(help_text="Id of a node.")

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Add `from`, which is a keyword and cannot be a class attribute."""
        return {"from": serializers.CharField(help_text="Id of a node."), **super().get_fields()}


class LineageShape(_Any):
    of = serializers.CharField(help_text="Id of the requested node.")
    nodes = LineageNode(many=True)
    edges = LineageEdge(many=True)
    truncated = serializers.BooleanField(help_text="Whether more distant nodes exist.")
