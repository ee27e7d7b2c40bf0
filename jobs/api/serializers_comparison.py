"""Bodies of comparisons. Output serializers are used in the OpenAPI document only."""

from typing import Any

from rest_framework import serializers

from jobs.api.serializers import JobShape
from jobs.queries.comparison import ROWS_MAX, Group, Unit

_Any = serializers.Serializer[Any]


class ComparedValue(_Any):
    group = serializers.ChoiceField(choices=[group.value for group in Group])
    path = serializers.CharField(
        help_text="For example `hyperparameters.max_depth` or `step[clean]`."
    )
    unit = serializers.ChoiceField(choices=[unit.value for unit in Unit], allow_blank=True)
    a = serializers.JSONField(allow_null=True)
    b = serializers.JSONField(allow_null=True)
    in_a = serializers.BooleanField(help_text="Whether job a has the path.")
    in_b = serializers.BooleanField(help_text="Whether job b has the path.")
    differs = serializers.BooleanField(
        help_text="Measured values (times, peak memory) differ by more than 5 % and 0.1 s."
    )


class JobComparison(_Any):
    a = JobShape()
    b = JobShape()
    rows = ComparedValue(many=True, help_text=f"At most {ROWS_MAX}.")
    differing = serializers.IntegerField(help_text="Number of rows that differ.")
    truncated = serializers.BooleanField(help_text="Whether more rows exist.")


class LastSuccess(_Any):
    job = JobShape(allow_null=True)
