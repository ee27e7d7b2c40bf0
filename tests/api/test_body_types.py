"""The typed bodies of `jobs` have exactly the fields of the serializers in the OpenAPI document."""

from typing import Any

import pytest
from rest_framework import serializers

from jobs.admission.shapes import RuleBody, WaitingBody
from jobs.api import serializers as job_serializers
from jobs.api import serializers_comparison as comparison_serializers
from jobs.api import serializers_lineage as lineage_serializers
from jobs.api import serializers_summary as summary_serializers
from jobs.api import serializers_time as time_serializers
from jobs.queries import shapes

PAIRS: list[tuple[Any, type[serializers.Serializer[Any]]]] = [
    (RuleBody, job_serializers.RuleCheck),
    (WaitingBody, job_serializers.Waiting),
    (shapes.QuantitiesBody, job_serializers.Quantities),
    (shapes.ResourcesBody, job_serializers.Resources),
    (shapes.ProgressBody, job_serializers.Progress),
    (shapes.JobBody, job_serializers.JobShape),
    (shapes.EventBody, job_serializers.EventShape),
    (shapes.LineageNodeBody, lineage_serializers.LineageNode),
    (shapes.LineageEdgeBody, lineage_serializers.LineageEdge),
    (shapes.CountsBody, summary_serializers.SummaryCounts),
    (shapes.AttentionBody, summary_serializers.Attention),
    (shapes.HourBody, summary_serializers.Hour),
    (shapes.ResultBody, summary_serializers.ResultShape),
    (shapes.UsageBody, summary_serializers.UsageNow),
    (shapes.RunBody, summary_serializers.RunShape),
    (shapes.ProducerBody, summary_serializers.ProducerShape),
    (shapes.SummaryBody, summary_serializers.Summary),
    (shapes.TimePhaseBody, time_serializers.TimePhase),
    (shapes.CauseTimeBody, time_serializers.CauseTime),
    (shapes.JobTimeBody, time_serializers.JobTime),
    (shapes.ComparedValueBody, comparison_serializers.ComparedValue),
    (shapes.JobComparisonBody, comparison_serializers.JobComparison),
    (shapes.LastSuccessBody, comparison_serializers.LastSuccess),
]


@pytest.mark.parametrize(("body", "serializer"), PAIRS, ids=lambda each: each.__name__)
def test_a_body_has_the_fields_of_its_serializer(
    body: Any, serializer: type[serializers.Serializer[Any]]
) -> None:
    assert set(body.__annotations__) == set(serializer().fields)
