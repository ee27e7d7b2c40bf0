"""Home page of a project: attention list, running jobs, the last day, results, first steps."""

from collections.abc import Callable
from functools import partial
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.views.decorators.http import require_GET, require_POST

from mimir.frontend.api_client import Api, ApiError, api
from mimir.frontend.pages.home.present import attention_row, hour_bars, producer_row, result_row
from mimir.frontend.pages.home.sample_steps import sample_steps
from mimir.frontend.pages.jobs.present import job_summary
from mimir.frontend.pages.shell import page, project_path, together
from mimir.frontend.session import signed_in
from mimir.lib import sample
from mimir.lib.clock import utc_now
from mimir.lib.json_types import JsonObject

OPEN = ("queued", "launching", "running", "cancelling")
RECENT = 10


@require_GET
@signed_in
def project(request: HttpRequest, slug: str) -> HttpResponse:
    """`/projects/<slug>/`."""
    requested_at = utc_now().isoformat()  # jobs created later are new to this page
    got = together(
        request,
        project=lambda client: client.get(project_path(slug)),
        summary=lambda client: client.get(project_path(slug, "summary")),
        counts=lambda client: client.get(project_path(slug, "jobs", "counts")),
        open=lambda client: client.get(
            project_path(slug, "jobs"), {"status": list(OPEN), "limit": RECENT}
        ),
        datasets=lambda client: client.get(project_path(slug, "datasets"), {"limit": RECENT}),
        pipelines=lambda client: client.get(project_path(slug, "pipelines"), {"limit": RECENT}),
    )
    summary = got["summary"]
    pipelines = got["pipelines"]["results"]
    context = {
        "begins": not any(got["counts"].values()),
        "requested_at": requested_at,
        "counts": summary["counts"],
        "active_jobs": summary["counts"]["running"] + summary["counts"]["waiting"],
        "now": [job_summary(job) for job in got["open"]["results"]],
        "attention": [attention_row(row, slug) for row in summary["attention"]],
        "hours": hour_bars(summary["hourly"]),
        "results": [result_row(row, slug) for row in summary["results"]],
        "usage": summary["usage"],
        "ending": max(0, summary["usage"]["running"] - summary["counts"]["running"]),
        "cpu": f"{summary['usage']['cpu_millicores'] / 1000:g}",
        "producers": [producer_row(row, slug) for row in summary["producers"]],
        "datasets": got["datasets"]["results"],
        "pipelines": pipelines,
        "sample": {
            "dataset": sample.DATASET,
            "pipeline": sample.PIPELINE,
            "twin": sample.TWIN,
            "description": sample.DESCRIPTION,
        },
        "sample_loaded": any(row["name"] == sample.PIPELINE for row in pipelines),
        "sample_steps": sample_steps(slug, summary["producers"])
        if any(row["name"] == sample.PIPELINE for row in pipelines)
        else [],
    }
    return page(request, "projects/home.html", context, project=got["project"], here="home")


@require_POST
@signed_in
def sample_load(request: HttpRequest, slug: str) -> HttpResponse:
    """Load the sample dataset, pipeline and twin with the user's rights.

    Existing parts stay, so the button can be pressed again after an error.
    """
    client = api(request)
    parts: tuple[tuple[str, str, Callable[[], Any]], ...] = (
        ("datasets", sample.DATASET, partial(_upload, client, slug)),
        (
            "pipelines",
            sample.PIPELINE,
            partial(_create, client, slug, "pipelines", sample.PIPELINE, sample.DEFINITION),
        ),
        (
            "twins",
            sample.TWIN,
            partial(_create, client, slug, "twins", sample.TWIN, sample.TWIN_DEFINITION),
        ),
    )
    for folder, name, make in parts:
        if not _is_there(client, slug, folder, name):
            make()
    return HttpResponseRedirect(f"/{project_path(slug)}")


def _is_there(client: Api, slug: str, folder: str, name: str) -> bool:
    try:
        client.get(project_path(slug, folder, name))
    except ApiError as error:
        if error.status != 404:
            raise
        return False
    return True


def _upload(client: Api, slug: str) -> None:
    with sample.FILE.open("rb") as file:
        client.upload(
            project_path(slug, "datasets"),
            {"name": sample.DATASET},
            {"file": (sample.FILE.name, file, "text/csv")},
        )


def _create(client: Api, slug: str, folder: str, name: str, definition: JsonObject) -> None:
    try:
        client.post(project_path(slug, folder), {"name": name, "definition": definition})
    except ApiError as error:
        if (
            error.status != 409 or error.code == "project_archived"
        ):  # another 409: someone else created it meanwhile
            raise
