"""Bodies of recommended limits. Output serializers are used in the OpenAPI document only."""

from typing import Any

from rest_framework import serializers

from jobs.core.sizing import RUNS_MIN

_Any = serializers.Serializer[Any]


class Recommended(_Any):
    memory = serializers.CharField(allow_null=True, help_text="null: the default of the type.")
    cpu = serializers.CharField(allow_null=True, help_text="null: the default of the type.")
    runs = serializers.IntegerField(help_text="Number of measured runs.")


class Compared(_Any):
    memory = serializers.CharField()
    cpu = serializers.CharField()


class Basis(_Any):
    runs = serializers.IntegerField(
        help_text="Successful runs with a measured peak, and runs that ran out of memory."
    )
    memory_peak_bytes = serializers.IntegerField(
        allow_null=True, help_text="Highest peak of the successful runs."
    )
    out_of_memory_runs = serializers.IntegerField()
    out_of_memory_limit_bytes = serializers.IntegerField(
        allow_null=True, help_text="Largest limit at which a run ran out of memory."
    )
    cpu_runs = serializers.IntegerField(help_text="Successful runs with enough CPU samples.")
    cpu_millicores = serializers.IntegerField(
        allow_null=True, help_text="Highest sustained use: 95th percentile of a run's samples."
    )
    cpu_at_limit = serializers.BooleanField(
        help_text="Whether that use was at the limit of its run: with more CPU it could be higher."
    )


class Recommendation(_Any):
    memory = serializers.CharField(
        allow_null=True,
        help_text=f"Recommended limit; null with fewer than {RUNS_MIN} measured runs, or without a"
        " clear difference.",
    )
    cpu = serializers.CharField(allow_null=True, help_text="Recommended limit; null as above.")
    compared_with = Compared(
        allow_null=True, help_text="Limits of the request, the job or the newest run; null: no run."
    )
    basis = Basis()
