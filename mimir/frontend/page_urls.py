"""URL patterns of the pages."""

from django.urls import path

from mimir.frontend.pages.account import views as account
from mimir.frontend.pages.clusters import views as clusters
from mimir.frontend.pages.datasets import views as datasets
from mimir.frontend.pages.home import views as home
from mimir.frontend.pages.imports import views as imports
from mimir.frontend.pages.job import action_views as job_actions
from mimir.frontend.pages.job import comparison_page
from mimir.frontend.pages.job import file_views as files
from mimir.frontend.pages.job import views as job
from mimir.frontend.pages.jobs import views as jobs
from mimir.frontend.pages.members import views as members
from mimir.frontend.pages.models import views as models
from mimir.frontend.pages.pipelines import views as pipelines
from mimir.frontend.pages.projects import views as projects
from mimir.frontend.pages.session import views as session
from mimir.frontend.pages.submit import views as submit
from mimir.frontend.pages.system import views as system
from mimir.frontend.pages.tokens import views as tokens
from mimir.frontend.pages.twins import detail_views as twin
from mimir.frontend.pages.twins import entity_views as entity
from mimir.frontend.pages.twins import views as twins
from mimir.frontend.pages.users import views as users

urlpatterns = [
    path("", projects.home, name="root"),
    path("signin/", session.signin, name="signin"),
    path("session/", session.session_state, name="session-state"),
    path("signout/", session.signout, name="signout"),
    path("password/<str:uid>/<str:token>/", users.password_link, name="password-link"),
    path("account/", account.account, name="account"),
    path("account/sessions/end/", account.sessions_end, name="sessions-end"),
    path("account/sessions/<uuid:session_id>/end/", account.session_end, name="session-end"),
    path("tokens/", tokens.tokens, name="tokens"),
    path("tokens/<uuid:token_id>/delete/", tokens.token_delete, name="token-delete"),
    path("projects/", projects.projects, name="projects"),
    path("projects/new/", projects.project_new, name="project-new"),
    path("projects/<str:slug>/", home.project, name="project"),
    path("projects/<str:slug>/sample/", home.sample_load, name="project-sample"),
    path("projects/<str:slug>/members/", members.members, name="members"),
    path("projects/<str:slug>/settings/", projects.settings, name="project-settings"),
    path("projects/<str:slug>/jobs/", jobs.jobs, name="jobs"),
    path("projects/<str:slug>/jobs/new/", submit.submit, name="job-new"),
    path("projects/<str:slug>/jobs/compare/", comparison_page.compare, name="job-compare"),
    path("projects/<str:slug>/datasets/", datasets.datasets, name="datasets"),
    path("projects/<str:slug>/datasets/<str:name>/", datasets.dataset, name="dataset"),
    path(
        "projects/<str:slug>/datasets/import/<uuid:upload_id>/",
        imports.dataset_import,
        name="dataset-import",
    ),
    path("projects/<str:slug>/models/", models.models, name="models"),
    path("projects/<str:slug>/models/<str:name>/", models.model, name="model"),
    path("projects/<str:slug>/models/<str:name>/compare/", models.compare, name="model-compare"),
    path("projects/<str:slug>/pipelines/", pipelines.pipelines, name="pipelines"),
    path("projects/<str:slug>/pipelines/new/", pipelines.pipeline_new, name="pipeline-new"),
    path("projects/<str:slug>/pipelines/<str:name>/", pipelines.pipeline, name="pipeline"),
    path("projects/<str:slug>/twins/", twins.twins, name="twins"),
    path("projects/<str:slug>/twins/new/", twins.twin_new, name="twin-new"),
    path("projects/<str:slug>/twins/<str:name>/", twin.twin, name="twin"),
    path(
        "projects/<str:slug>/twins/<str:name>/definition/",
        twins.twin_definition,
        name="twin-definition",
    ),
    path("projects/<str:slug>/twins/<str:name>/entity/", entity.entity, name="twin-entity"),
    path("projects/<str:slug>/twins/<str:name>/revisions/", twin.revisions, name="twin-revisions"),
    path(
        "projects/<str:slug>/twins/<str:name>/revisions/<int:number>/",
        twin.revision,
        name="twin-revision",
    ),
    path("system/clusters/", clusters.clusters, name="clusters"),
    path("system/clusters/new/", clusters.cluster_new, name="cluster-new"),
    path("system/clusters/<str:name>/", clusters.cluster, name="cluster"),
    path("system/users/", users.users, name="users"),
    path("system/", system.system, name="system"),
    path("jobs/<uuid:job_id>/", job.job, name="job"),
    path("jobs/<uuid:job_id>/files/<str:name>/", files.job_file, name="job-file"),
    path("jobs/<uuid:job_id>/files/<str:name>/raw/", files.job_file_raw, name="job-file-raw"),
    path("jobs/<uuid:job_id>/cancel/", job_actions.cancel, name="job-cancel"),
    path("jobs/<uuid:job_id>/dismiss/", job_actions.dismiss, name="job-dismiss"),
    path("jobs/<uuid:job_id>/retry/", job_actions.retry, name="job-retry"),
]
