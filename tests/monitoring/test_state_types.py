"""The types of the system state are those of its serializers, of the state and of the response."""

from typing import Any

import pytest
from rest_framework import serializers as fields

from jobs.admission.limits import limit_set
from jobs.clusters.rows import cluster_ensure, cluster_reached
from jobs.contract import FailureReason, FinishStatus
from jobs.liveness.beats import beat_record
from jobs.models import Cluster, UsageSample
from mimir.frontend.api_types import system_shapes
from mimir.lib.clock import utc_now
from monitoring import state_types
from monitoring.api import serializers
from monitoring.selectors.system import system_state
from tests.api.caller import Caller
from tests.support import make
from tests.support.typed_dicts import faults, hints_of

PAIRS: list[tuple[Any, type[fields.Serializer[Any]]]] = [
    (state_types.HeadlineState, serializers.Headline),
    (state_types.ComponentState, serializers.Component),
    (state_types.QueueState, serializers.Queue),
    (state_types.WorkerState, serializers.Worker),
    (state_types.CapacityState, serializers.Capacity),
    (state_types.LimitState, serializers.LimitInForce),
    (state_types.StorageState, serializers.Storage),
    (state_types.FailureCount, serializers.Failures),
    (state_types.ReconcileState, serializers.Reconcile),
    (state_types.SystemState, serializers.SystemShape),
]
LISTS = ("components", "queues", "workers", "capacity", "limits", "failures")


@pytest.mark.parametrize(("state", "serializer"), PAIRS, ids=lambda each: each.__name__)
def test_a_state_has_the_fields_of_its_serializer(
    state: Any, serializer: type[fields.Serializer[Any]]
) -> None:
    hints, documented = hints_of(state), serializer().fields
    assert set(hints) == set(documented)
    assert state.__required_keys__ == set(hints)
    for name, field in documented.items():
        nullable = not faults(None, hints[name])
        assert nullable == bool(field.allow_null), name


@pytest.mark.django_db(transaction=True)
def test_the_state_and_the_response_have_their_types() -> None:
    cluster_ensure()
    Cluster.objects.update(capacity_jobs=10)
    beat_record(component="dispatcher")
    failed = make.claimed()
    make.finish(failed, FinishStatus.FAILED, reason=FailureReason.EXIT_CODE, message="x")
    make.settle()
    attempt = make.claimed()
    UsageSample.objects.create(attempt=attempt, at=utc_now(), memory_bytes=1, cpu_millicores=1)
    limit_set(scope="project", key="demo", actor="test", max_jobs=3, paused=False)
    cluster_reached(cluster=Cluster.objects.get())
    state = system_state()
    assert faults(state, state_types.SystemState) == []
    response = Caller(make.user("root", is_superuser=True)).get("system/").json()
    assert faults(response, system_shapes.SystemState) == []
    for name in LISTS:
        assert response[name], f"{name} has no row to compare"
