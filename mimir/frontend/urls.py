"""Addresses of the pages."""

from django.urls import path

from mimir.frontend.pages import datasets, entity, home, job, jobs, members, models, pipelines, projects, session, submit, system, tokens, twin, twins

urlpatterns = [
    path("", projects.home, name="root"),
    path("signin/", session.signin, name="signin"),
    path("signout/", session.signout, name="signout"),
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
    path("projects/<str:slug>/datasets/", datasets.datasets, name="datasets"),
    path("projects/<str:slug>/datasets/<str:name>/", datasets.dataset, name="dataset"),
    path("projects/<str:slug>/models/", models.models, name="models"),
    path("projects/<str:slug>/models/<str:name>/", models.model, name="model"),
    path("projects/<str:slug>/models/<str:name>/compare/", models.compare, name="model-compare"),
    path("projects/<str:slug>/pipelines/", pipelines.pipelines, name="pipelines"),
    path("projects/<str:slug>/pipelines/new/", pipelines.pipeline_new, name="pipeline-new"),
    path("projects/<str:slug>/pipelines/<str:name>/", pipelines.pipeline, name="pipeline"),
    path("projects/<str:slug>/twins/", twins.twins, name="twins"),
    path("projects/<str:slug>/twins/new/", twins.twin_new, name="twin-new"),
    path("projects/<str:slug>/twins/<str:name>/", twin.twin, name="twin"),
    path("projects/<str:slug>/twins/<str:name>/definition/", twins.twin_definition, name="twin-definition"),
    path("projects/<str:slug>/twins/<str:name>/entity/", entity.entity, name="twin-entity"),
    path("projects/<str:slug>/twins/<str:name>/revisions/", twin.revisions, name="twin-revisions"),
    path("projects/<str:slug>/twins/<str:name>/revisions/<int:number>/", twin.revision, name="twin-revision"),
    path("system/", system.system, name="system"),
    path("jobs/<uuid:job_id>/", job.job, name="job"),
    path("jobs/<uuid:job_id>/cancel/", job.cancel, name="job-cancel"),
    path("jobs/<uuid:job_id>/retry/", job.retry, name="job-retry"),
]
