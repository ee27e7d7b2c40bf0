"""Comparison of two jobs."""

import uuid

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from mimir.frontend.api_client import ApiError, api
from mimir.frontend.api_types.job_shapes import Job, JobComparison
from mimir.frontend.pages.job.comparison_table import columns, compared, options
from mimir.frontend.pages.shell import job_path, page, project_path, together
from mimir.frontend.session import signed_in
from mimir.lib.clock import utc_now
from mimir.lib.errors import NOT_FOUND

OFFERED = 50


@require_GET
@signed_in
def compare(request: HttpRequest, slug: str) -> HttpResponse:
    """`/projects/<slug>/jobs/compare/?a=<id>&b=<id>`.

    If only one is given, it is compared with the last successful run before it.
    """
    first, second = _given(request, "a"), _given(request, "b")
    if bool(first) != bool(second):
        earlier = api(request).get(job_path(first or second, "last-success"))["job"]
        first, second = (earlier["id"] if earlier else "", first or second)
    known = second or first
    got = together(
        request,
        project=lambda client: client.get(project_path(slug)),
        job=lambda client: client.get(job_path(known)) if known else None,
        found=lambda client: (
            client.get(job_path(first, "compare", second)) if first and second else None
        ),
    )
    job: Job | None = got["job"]
    found: JobComparison | None = got["found"]
    if job and job["project"] != slug:
        raise ApiError(404, "not_found", NOT_FOUND)
    listed = api(request).get(
        project_path(slug, "jobs"), {"type": job["type"] if job else None, "limit": OFFERED}
    )["results"]
    chosen = [found["a"], found["b"]] if found else [job] if job else []
    context = {
        "pair": [("a", first), ("b", second)],
        "options": options(listed, chosen, utc_now()),
        "columns": columns(found) if found else [],
        "same": bool(first) and first == second,
        "has_one": job is not None,
        **(compared(found) if found else {"groups": [], "equal": []}),
        "is_chosen": found is not None,
    }
    return page(request, "jobs/compare.html", context, project=got["project"], here="jobs")


def _given(request: HttpRequest, name: str) -> str:
    """Return a job ID of the query; empty without one. Raises: ApiError 404 for an invalid ID."""
    given = request.GET.get(name, "").strip()
    if not given:
        return ""
    try:
        return str(uuid.UUID(given))
    except ValueError:
        raise ApiError(404, "not_found", NOT_FOUND) from None
