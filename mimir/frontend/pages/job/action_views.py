"""Actions on one job: cancel, run again, dismiss its failure."""

import uuid

from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.views.decorators.http import require_POST

from mimir.frontend.api_client import ApiError, api
from mimir.frontend.pages.shell import job_path, project_path
from mimir.frontend.session import signed_in


@require_POST
@signed_in
def cancel(request: HttpRequest, job_id: uuid.UUID) -> HttpResponseBase:
    """Request cancellation. A job that ended meanwhile shows its result."""
    try:
        api(request).post(job_path(job_id, "cancel"))
    except ApiError as error:
        if error.status != 409:
            raise
    return HttpResponseRedirect(f"/{job_path(job_id)}")


@require_POST
@signed_in
def retry(request: HttpRequest, job_id: uuid.UUID) -> HttpResponse:
    """Submit the same request as a new job.

    A second click with the same key returns the same job.
    """
    key = request.POST.get("key", "")[:100] or str(uuid.uuid4())
    created = api(request).post(
        job_path(job_id, "retry"),
        headers={
            "Idempotency-Key": key if key.isprintable() and key.isascii() else str(uuid.uuid4())
        },
    )
    return HttpResponseRedirect(f"/{job_path(created['id'])}")


@require_POST
@signed_in
def dismiss(request: HttpRequest, job_id: uuid.UUID) -> HttpResponse:
    """Hide a failure from the user's "Needs attention" list and return to the project's home."""
    row = api(request).get(job_path(job_id))
    try:
        api(request).put(job_path(job_id, "dismissal"))
    except ApiError as error:
        if error.status != 409:  # the job did not fail: nothing to hide
            raise
    return HttpResponseRedirect(f"/{project_path(row['project'])}")
