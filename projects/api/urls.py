"""Paths below /api/v1/."""

from django.urls import path

from projects.api import datasets, models, pipelines, projects, sessions

urlpatterns = [
    path("session/", sessions.SessionView.as_view(), name="session"),
    path("tokens/", sessions.TokensView.as_view(), name="tokens"),
    path("tokens/<uuid:token_id>/", sessions.TokenView.as_view(), name="token"),
    path("projects/", projects.ProjectsView.as_view(), name="projects"),
    path("projects/<str:slug>/", projects.ProjectView.as_view(), name="project"),
    path("projects/<str:slug>/members/", projects.MembersView.as_view(), name="members"),
    path("projects/<str:slug>/members/<str:username>/", projects.MemberView.as_view(), name="member"),
    path("projects/<str:slug>/datasets/", datasets.DatasetsView.as_view(), name="datasets"),
    path("projects/<str:slug>/datasets/<str:name>/", datasets.DatasetView.as_view(), name="dataset"),
    path("projects/<str:slug>/datasets/<str:name>/versions/<str:number>/rows/", datasets.DatasetRowsView.as_view(), name="dataset-rows"),
    path("projects/<str:slug>/datasets/<str:name>/versions/<str:number>/profile/", datasets.DatasetProfileView.as_view(), name="dataset-profile"),
    path(
        "projects/<str:slug>/datasets/<str:name>/versions/<str:number>/content/",
        datasets.DatasetContentView.as_view(),
        name="dataset-content",
    ),
    path("projects/<str:slug>/models/", models.ModelsView.as_view(), name="models"),
    path("projects/<str:slug>/models/<str:name>/", models.ModelView.as_view(), name="model"),
    path("projects/<str:slug>/models/<str:name>/versions/<str:number>/", models.ModelVersionView.as_view(), name="model-version"),
    path("projects/<str:slug>/models/<str:name>/versions/<str:number>/content/", models.ModelContentView.as_view(), name="model-content"),
    path("projects/<str:slug>/pipelines/", pipelines.PipelinesView.as_view(), name="pipelines"),
    path("projects/<str:slug>/pipelines/validate/", pipelines.PipelineValidateView.as_view(), name="pipeline-validate"),
    path("projects/<str:slug>/pipelines/<str:name>/", pipelines.PipelineView.as_view(), name="pipeline"),
]
