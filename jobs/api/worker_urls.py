"""Paths below /worker/v1/. The frontend never proxies them."""

from django.urls import path

from jobs.api import worker

urlpatterns = [
    path("attempts/<uuid:attempt_id>/claim", worker.ClaimView.as_view(), name="worker-claim"),
    path(
        "attempts/<uuid:attempt_id>/heartbeat",
        worker.HeartbeatView.as_view(),
        name="worker-heartbeat",
    ),
    path(
        "attempts/<uuid:attempt_id>/events", worker.WorkerEventsView.as_view(), name="worker-events"
    ),
    path("attempts/<uuid:attempt_id>/logs", worker.WorkerLogView.as_view(), name="worker-log"),
    path(
        "attempts/<uuid:attempt_id>/artifacts/<str:name>",
        worker.WorkerArtifactView.as_view(),
        name="worker-artifact",
    ),
    path(
        "attempts/<uuid:attempt_id>/inputs/<str:name>",
        worker.WorkerInputView.as_view(),
        name="worker-input",
    ),
    path("attempts/<uuid:attempt_id>/finish", worker.FinishView.as_view(), name="worker-finish"),
    path(
        "attempts/<uuid:attempt_id>/finish-with-events",
        worker.FinishView.as_view(),
        name="worker-finish-with-events",
    ),
]
