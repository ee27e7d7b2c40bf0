"""Paths below /api/v1/."""

from django.urls import path

from jobs.api import (
    clusters,
    comparison_views,
    details,
    export,
    job_types,
    jobs,
    limits,
    lineage,
    logs,
    recommendation,
    summary,
    time_spent_view,
)

urlpatterns = [
    path("projects/<str:slug>/jobs/", jobs.JobsView.as_view(), name="jobs"),
    path("projects/<str:slug>/jobs/counts/", jobs.JobCountsView.as_view(), name="job-counts"),
    path("projects/<str:slug>/clusters/", clusters.PlacesView.as_view(), name="places"),
    path("projects/<str:slug>/summary/", summary.SummaryView.as_view(), name="summary"),
    path("projects/<str:slug>/lineage/", lineage.LineageView.as_view(), name="lineage"),
    path(
        "projects/<str:slug>/recommendation/",
        recommendation.RecommendationView.as_view(),
        name="recommendation",
    ),
    path("jobs/<uuid:job_id>/", jobs.JobView.as_view(), name="job"),
    path("jobs/<uuid:job_id>/cancel/", jobs.JobCancelView.as_view(), name="job-cancel"),
    path("jobs/<uuid:job_id>/retry/", jobs.JobRetryView.as_view(), name="job-retry"),
    path("jobs/<uuid:job_id>/dismissal/", jobs.JobDismissalView.as_view(), name="job-dismissal"),
    path("jobs/<uuid:job_id>/events/", details.EventsView.as_view(), name="job-events"),
    path("jobs/<uuid:job_id>/attempts/", details.AttemptsView.as_view(), name="job-attempts"),
    path("jobs/<uuid:job_id>/logs/", logs.LogView.as_view(), name="job-log"),
    path("jobs/<uuid:job_id>/logs/search/", logs.LogSearchView.as_view(), name="job-log-search"),
    path("jobs/<uuid:job_id>/usage/", details.UsageView.as_view(), name="job-usage"),
    path("jobs/<uuid:job_id>/export/", export.JobExportView.as_view(), name="job-export"),
    path("jobs/<uuid:job_id>/time/", time_spent_view.JobTimeView.as_view(), name="job-time"),
    path(
        "jobs/<uuid:job_id>/compare/<uuid:other_id>/",
        comparison_views.JobComparisonView.as_view(),
        name="job-compare",
    ),
    path(
        "jobs/<uuid:job_id>/last-success/",
        comparison_views.LastSuccessView.as_view(),
        name="job-last-success",
    ),
    path("jobs/<uuid:job_id>/artifacts/", details.ArtifactsView.as_view(), name="job-artifacts"),
    path(
        "jobs/<uuid:job_id>/artifacts/<str:name>/",
        details.ArtifactView.as_view(),
        name="job-artifact",
    ),
    path("job-types/", job_types.JobTypesView.as_view(), name="job-types"),
    path("clusters/", clusters.ClustersView.as_view(), name="clusters"),
    path("clusters/<str:name>/", clusters.ClusterView.as_view(), name="cluster"),
    path("limits/", limits.LimitsView.as_view(), name="limits"),
]
