"""Paths below /api/v1/."""

from django.urls import path

from projects.datasets import api as datasets
from projects.datasets import uploads_api as uploads
from projects.datasets import versions_api as dataset_versions
from projects.members import api as members
from projects.model_registry import api as models
from projects.pipelines import api as pipelines
from projects.project import api as projects
from projects.tokens import account_api
from projects.tokens import api as sessions
from projects.twins import api as twins
from projects.twins import entities_api as entities
from projects.users import api as users

urlpatterns = [
    path("session/", sessions.SessionView.as_view(), name="session"),
    path("sessions/", account_api.SessionsView.as_view(), name="sessions"),
    path(
        "sessions/<uuid:session_id>/",
        account_api.SessionDetailView.as_view(),
        name="session-detail",
    ),
    path("password/", account_api.PasswordView.as_view(), name="password"),
    path("password-link/", users.PasswordLinkView.as_view(), name="password-link"),
    path("users/", users.UsersView.as_view(), name="users"),
    path("users/<str:username>/", users.UserView.as_view(), name="user"),
    path("users/<str:username>/reset-link/", users.ResetLinkView.as_view(), name="user-reset-link"),
    path("tokens/", sessions.TokensView.as_view(), name="tokens"),
    path("tokens/<uuid:token_id>/", sessions.TokenView.as_view(), name="token"),
    path("projects/", projects.ProjectsView.as_view(), name="projects"),
    path("projects/<str:slug>/", projects.ProjectView.as_view(), name="project"),
    path("projects/<str:slug>/members/", members.MembersView.as_view(), name="members"),
    path(
        "projects/<str:slug>/members/<str:username>/", members.MemberView.as_view(), name="member"
    ),
    path("projects/<str:slug>/datasets/", datasets.DatasetsView.as_view(), name="datasets"),
    path(
        "projects/<str:slug>/datasets/<str:name>/", datasets.DatasetView.as_view(), name="dataset"
    ),
    path("projects/<str:slug>/uploads/", uploads.UploadsView.as_view(), name="uploads"),
    path(
        "projects/<str:slug>/uploads/<uuid:upload_id>/", uploads.UploadView.as_view(), name="upload"
    ),
    path(
        "projects/<str:slug>/uploads/<uuid:upload_id>/accept/",
        uploads.UploadAcceptView.as_view(),
        name="upload-accept",
    ),
    path(
        "projects/<str:slug>/uploads/<uuid:upload_id>/accept-sheets/",
        uploads.UploadAcceptSheetsView.as_view(),
        name="upload-accept-sheets",
    ),
    path(
        "projects/<str:slug>/datasets/<str:name>/versions/<str:number>/",
        dataset_versions.DatasetVersionView.as_view(),
        name="dataset-version",
    ),
    path(
        "projects/<str:slug>/datasets/<str:name>/versions/<str:number>/rows/",
        datasets.DatasetRowsView.as_view(),
        name="dataset-rows",
    ),
    path(
        "projects/<str:slug>/datasets/<str:name>/versions/<str:number>/profile/",
        datasets.DatasetProfileView.as_view(),
        name="dataset-profile",
    ),
    path(
        "projects/<str:slug>/datasets/<str:name>/versions/<str:number>/content/",
        datasets.DatasetContentView.as_view(),
        name="dataset-content",
    ),
    path("projects/<str:slug>/models/", models.ModelsView.as_view(), name="models"),
    path("projects/<str:slug>/models/<str:name>/", models.ModelView.as_view(), name="model"),
    path(
        "projects/<str:slug>/models/<str:name>/versions/<str:number>/",
        models.ModelVersionView.as_view(),
        name="model-version",
    ),
    path(
        "projects/<str:slug>/models/<str:name>/versions/<str:number>/content/",
        models.ModelContentView.as_view(),
        name="model-content",
    ),
    path("step-types/", pipelines.StepTypesView.as_view(), name="step-types"),
    path("projects/<str:slug>/pipelines/", pipelines.PipelinesView.as_view(), name="pipelines"),
    path(
        "projects/<str:slug>/pipelines/validate/",
        pipelines.PipelineValidateView.as_view(),
        name="pipeline-validate",
    ),
    path(
        "projects/<str:slug>/pipelines/<str:name>/",
        pipelines.PipelineView.as_view(),
        name="pipeline",
    ),
    path("projects/<str:slug>/twins/", twins.TwinsView.as_view(), name="twins"),
    path(
        "projects/<str:slug>/twins/validate/",
        twins.TwinValidateView.as_view(),
        name="twin-validate",
    ),
    path("projects/<str:slug>/twins/<str:name>/", twins.TwinView.as_view(), name="twin"),
    path(
        "projects/<str:slug>/twins/<str:name>/definition/",
        twins.TwinDefinitionView.as_view(),
        name="twin-definition",
    ),
    path(
        "projects/<str:slug>/twins/<str:name>/revisions/",
        twins.RevisionsView.as_view(),
        name="twin-revisions",
    ),
    path(
        "projects/<str:slug>/twins/<str:name>/revisions/<str:number>/state/",
        twins.StateView.as_view(),
        name="twin-state",
    ),
    path(
        "projects/<str:slug>/twins/<str:name>/revisions/<str:number>/diff/",
        twins.DiffView.as_view(),
        name="twin-diff",
    ),
    path(
        "projects/<str:slug>/twins/<str:name>/entity/",
        entities.EntityByQueryView.as_view(),
        name="entity-by-query",
    ),
    path(
        "projects/<str:slug>/twins/<str:name>/entity/overlay/",
        entities.OverlayByQueryView.as_view(),
        name="overlay-by-query",
    ),
    path(
        "projects/<str:slug>/twins/<str:name>/entity/history/",
        entities.HistoryByQueryView.as_view(),
        name="history-by-query",
    ),
    path(
        "projects/<str:slug>/twins/<str:name>/entities/",
        entities.EntitiesView.as_view(),
        name="entities",
    ),
    path(
        "projects/<str:slug>/twins/<str:name>/entities/<str:type>/<path:key>/overlay/",
        entities.OverlayView.as_view(),
        name="overlay",
    ),
    path(
        "projects/<str:slug>/twins/<str:name>/entities/<str:type>/<path:key>/history/",
        entities.HistoryView.as_view(),
        name="history",
    ),
    path(
        "projects/<str:slug>/twins/<str:name>/entities/<str:type>/<path:key>/",
        entities.EntityView.as_view(),
        name="entity",
    ),
]
