"""Addresses of the pages."""

from django.urls import path

from mimir.frontend.pages import job, jobs, projects, session

urlpatterns = [
    path("", projects.home, name="root"),
    path("signin/", session.signin, name="signin"),
    path("signout/", session.signout, name="signout"),
    path("projects/", projects.projects, name="projects"),
    path("projects/new/", projects.project_new, name="project-new"),
    path("projects/<str:slug>/", projects.project, name="project"),
    path("projects/<str:slug>/settings/", projects.settings, name="project-settings"),
    path("projects/<str:slug>/jobs/", jobs.jobs, name="jobs"),
    path("jobs/<uuid:job_id>/", job.job, name="job"),
    path("jobs/<uuid:job_id>/cancel/", job.cancel, name="job-cancel"),
    path("jobs/<uuid:job_id>/retry/", job.retry, name="job-retry"),
]
