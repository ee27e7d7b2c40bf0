"""Body of a job's time. Output serializers are used in the OpenAPI document only."""

from typing import Any

from rest_framework import serializers

from jobs.queries.time_phases import Cause

_Any = serializers.Serializer[Any]
_CAUSES = [cause.value for cause in Cause]
_FieldOf = serializers.Field[Any, Any, Any, Any]


class TimePhase(_Any):
    cause = serializers.ChoiceField(choices=_CAUSES)
    to = serializers.DateTimeField()
    seconds = serializers.FloatField()
    attempt = serializers.IntegerField(help_text="The current attempt; in the queue, the next one.")
    detail = serializers.CharField(
        help_text="The step's id (`step`), the stage (`preparing`, `running`, `saving`), the reason"
        " (`cluster`), or empty."
    )

    def get_fields(self) -> dict[str, _FieldOf]:
        """Add `from`, which is a keyword and cannot be a class attribute."""
        return {"from": serializers.DateTimeField(), **super().get_fields()}


class CauseTime(_Any):
    cause = serializers.ChoiceField(choices=_CAUSES)
    seconds = serializers.FloatField(help_text="Total of all phases with this cause.")


class JobTime(_Any):
    to = serializers.DateTimeField(help_text="The end of the job, or the current time.")
    seconds = serializers.FloatField()
    is_live = serializers.BooleanField(help_text="Whether the job has not ended.")
    phases = TimePhase(
        many=True, help_text="In order. They cover the whole time without gaps or overlaps."
    )
    causes = CauseTime(many=True)

    def get_fields(self) -> dict[str, _FieldOf]:
        """Add `from`, which is a keyword and cannot be a class attribute."""
        return {
            "from": serializers.DateTimeField(help_text="The submit."),
            **super().get_fields(),
        }
