"""Models: list, one version with plots, comparison of two versions."""

from functools import partial
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from mimir.frontend.api_client import Api, ApiError
from mimir.frontend.api_types.model_shapes import ModelVersion, ModelVersionDetail
from mimir.frontend.pages.jobs.present import job_title
from mimir.frontend.pages.lineage.present import NOTHING, lineage_of
from mimir.frontend.pages.models.metric_text import comparable, figures, verdict
from mimir.frontend.pages.models.present import (
    algorithm,
    compared,
    compared_plots,
    details,
    list_row,
    plots,
    predict_url,
    prediction_text,
    version_rows,
)
from mimir.frontend.pages.shell import cursor_of, job_path, optional, page, project_path, together
from mimir.frontend.session import signed_in
from mimir.frontend.template_context import Context

VERSIONS_LISTED = 100


@require_GET
@signed_in
def models(request: HttpRequest, slug: str) -> HttpResponse:
    """`/projects/<slug>/models/`: each model by its newest version."""
    got = together(
        request,
        project=lambda client: client.get(project_path(slug)),
        models=lambda client: client.get(
            project_path(slug, "models"), {"cursor": request.GET.get("cursor"), "limit": 50}
        ),
    )
    context = {
        "rows": [list_row(row) for row in got["models"]["results"]],
        "older": cursor_of(got["models"]["next"]),
        "train_url": f"/{project_path(slug, 'jobs', 'new')}?type=ml_training",
    }
    return page(request, "models/list.html", context, project=got["project"], here="models")


@require_GET
@signed_in
def model(request: HttpRequest, slug: str, name: str) -> HttpResponse:
    """`/projects/<slug>/models/<name>/?version=`; without it the newest version."""
    got = together(
        request,
        project=lambda client: client.get(project_path(slug)),
        model=lambda client: client.get(
            project_path(slug, "models", name),
            {"limit": VERSIONS_LISTED, "cursor": request.GET.get("cursor")},
        ),
        version=partial(_version, slug, name, request.GET.get("version", "")),
    )
    version, versions = got["version"], got["model"]["versions"]
    number = version["number"]
    before = next((one for one in versions if one["number"] < number), None)
    shown = together(
        request,
        lineage=optional(
            lambda client: client.get(
                project_path(slug, "lineage"), {"of": f"model:{name}@{number}"}
            ),
            NOTHING,
        ),
        job=optional(lambda client: client.get(job_path(version["job"])), {})
        if version["job"]
        else lambda client: {},
    )
    base = project_path(slug, "models", name, "versions", str(number))
    context = {
        **_compared_with(version, before),
        "name": name,
        "version": version,
        "versions": version_rows(versions, number),
        "numbers": sorted({number, *(one["number"] for one in versions)}, reverse=True),
        "older": cursor_of(got["model"].get("next")),
        "is_newest": not versions or number >= versions[0]["number"],
        "algorithm": algorithm(version),
        "does": prediction_text(version),
        "plots": plots(version),
        "details": details(version),
        "job": shown["job"],
        "job_title": job_title(shown["job"]) if shown["job"] else "",
        "lineage": lineage_of(shown["lineage"], slug),
        "predict_url": predict_url(slug, name, number),
        "compare_url": _compare_url(slug, name, before["number"], number) if before else "",
        "download_url": f"/api/v1/{base}content/",
    }
    return page(request, "models/model.html", context, project=got["project"], here="models")


def _compared_with(version: ModelVersionDetail, before: ModelVersion | None) -> Context:
    """Metrics of a version with those of the version before, if they are comparable."""
    compares = before is not None and comparable(version, before)
    return {
        "before": before,
        "before_compares": compares,
        "figures": figures(version, before),
        "verdict": verdict(version),
        "old_verdict": verdict(before) if before and compares else None,
    }


@require_GET
@signed_in
def compare(request: HttpRequest, slug: str, name: str) -> HttpResponse:
    """`/projects/<slug>/models/<name>/compare/?a=1&b=2&class=`; by default the two newest."""
    got = together(
        request,
        project=lambda client: client.get(project_path(slug)),
        model=lambda client: client.get(
            project_path(slug, "models", name), {"limit": VERSIONS_LISTED}
        ),
    )
    numbers = [one["number"] for one in got["model"]["versions"]]
    pair = [
        request.GET.get("a") or str(numbers[min(1, len(numbers) - 1)]),
        request.GET.get("b") or str(numbers[0]),
    ]
    found = together(
        request, a=partial(_version, slug, name, pair[0]), b=partial(_version, slug, name, pair[1])
    )
    one, two = found["a"], found["b"]
    rows = compared(one, two)
    context = {
        "name": name,
        "one": one,
        "two": two,
        "pair": [("a", one["number"]), ("b", two["number"])],
        "columns": [
            {"version": version, "algorithm": algorithm(version), "verdict": verdict(version)}
            for version in (one, two)
        ],
        "numbers": sorted({*numbers, one["number"], two["number"]}, reverse=True),
        "rows": rows,
        "differing": sum(row["differs"] for row in rows),
        "comparable": comparable(one, two),
        "plots": compared_plots(one, two, request.GET.get("class", "")),
    }
    return page(request, "models/compare.html", context, project=got["project"], here="models")


def _version(slug: str, name: str, requested: str, client: Api) -> ModelVersionDetail:
    """Fetch one version, by default the newest.

    Raises: ApiError.
    """
    if requested and not (requested.isascii() and requested.isdigit() and len(requested) < 10):
        raise ApiError(
            404, "not_found", f"The version must be a whole number, not {requested[:20]}."
        )
    found: ModelVersionDetail = client.get(
        project_path(slug, "models", name, "versions", requested or "latest")
    )
    return found


def _compare_url(slug: str, name: str, one: int, two: int) -> str:
    return f"/{project_path(slug, 'models', name, 'compare')}?{urlencode({'a': one, 'b': two})}"
