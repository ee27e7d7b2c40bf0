"""Submit, list, wait for, cancel and retry jobs."""

import re
import time
from uuid import UUID

from django.db import connection
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiParameter,
    OpenApiResponse,
    PolymorphicProxySerializer,
    extend_schema,
)
from rest_framework.request import Request
from rest_framework.response import Response

from jobs.api import serializers
from jobs.contract import TERMINAL, JobStatus, Priority
from jobs.core.recommended import recommended_dict
from jobs.core.resources import format_cpu, format_memory, from_dict
from jobs.lifecycle.cancel import job_cancel
from jobs.lifecycle.dismiss import failure_dismiss, failure_restore
from jobs.lifecycle.measured_runs import producer_sizing
from jobs.lifecycle.retry import job_retry
from jobs.lifecycle.submit import JobFields, JobRequest, Submitted, job_check, job_submit
from jobs.models import Job
from jobs.models.expressions import producer_name
from jobs.queries.explain_turns import EXPLAIN_TURNS
from jobs.queries.job_start import job_start
from jobs.queries.jobs import COUNTED_MAX, job_counts, job_for, job_list, jobs_as_dicts
from jobs.queries.recommendation import recommendation_dict
from jobs.queries.shapes import DryRunBody, JobBody, QuantitiesBody, StartBody
from jobs.types.inputs import public_input
from jobs.types.registry import job_type_names
from mimir.api.pagination import paginate
from mimir.api.query import flag
from mimir.api.schema import CURSOR, LIMIT, errors, listing
from mimir.api.views import ApiView, caller, validated
from mimir.lib.errors import Invalid
from mimir.lib.request_slot import slot_release
from projects.core.access import project_for
from projects.models import Project, Role

WAIT_SECONDS_MAX = 30.0
WAIT_PAUSE_SECONDS = (0.05, 0.5)
_KEY_PATTERN = "[!-~]([ -~]{0,198}[!-~])?"
_KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "pattern": f"^{_KEY_PATTERN}$"},
    OpenApiParameter.HEADER,
    description="A repeated key with the same body returns the same job with 200,"
    " with another body 409.",
)

_EXPLAIN = flag(
    "explain",
    "Validate the request without submitting it, and explain in `start` when the job would start"
    " if it were submitted now, or why it would wait. Includes `dry_run`. One request at a time is"
    " explained: 429 `explanations_busy` if too many wait, or if the user sent a newer one.",
)
_EXPLAIN_SUBMITS = "explain never submits a job: remove dry_run=false, or remove explain"

_WAIT = OpenApiParameter(
    "wait",
    {"type": "number", "minimum": 0},
    description="Seconds to wait for the end of the job before the response."
    f" Values above {WAIT_SECONDS_MAX:.0f} mean {WAIT_SECONDS_MAX:.0f}.",
)


def idempotency_key(request: Request) -> str | None:
    """Return the value of the header `Idempotency-Key`, or None. Raises: Invalid."""
    key = request.headers.get("Idempotency-Key")
    if key is not None and not re.fullmatch(_KEY_PATTERN, key):
        rule = "must be 1 to 200 printable ASCII characters"
        raise Invalid(f"Idempotency-Key: {rule}.", detail={"Idempotency-Key": rule})
    return key


def _job_fields(request: Request) -> JobFields:
    """Return the fields of `job_submit` from the body. Raises: ValidationError."""
    body = validated(serializers.JobRequest, request)
    priority = body.get("priority")
    body["priority"] = Priority(priority) if priority else None
    return body


def _submitted(submitted: Submitted) -> Response:
    """Answer 201 with a new job, or 200 with the job that the Idempotency-Key created before."""
    return Response(
        _job_body(submitted.job),
        status=201 if submitted.created else 200,
        headers={"Location": f"/api/v1/jobs/{submitted.job.id}/"},
    )


class JobsView(ApiView):
    """Jobs of a project."""

    @extend_schema(
        operation_id="jobs_list",
        parameters=[
            OpenApiParameter(
                "status",
                OpenApiTypes.STR,
                many=True,
                enum=[status.value for status in JobStatus],
                description="Jobs in any of these statuses: status=queued&status=running,"
                " or status=queued,running.",
            ),
            OpenApiParameter("type", OpenApiTypes.STR, enum=job_type_names()),
            OpenApiParameter(
                "q", OpenApiTypes.STR, description="Part of the name, or the end of the id."
            ),
            OpenApiParameter(
                "label", OpenApiTypes.STR, description="A label: `key` or `key=value`."
            ),
            CURSOR,
            LIMIT,
        ],
        responses={200: listing("JobList", serializers.JobShape), **errors(400, 404)},
    )
    def get(self, request: Request, slug: str) -> Response:
        """List jobs, newest first."""
        project = project_for(caller(request), slug)
        query = self.query
        jobs = job_list(
            project=project,
            statuses=query.get("status", []),
            job_type=query.get("type"),
            text=query.get("q"),
            label=query.get("label"),
        )
        page = paginate(jobs, request, keys=("-created_at", "-id"))
        return Response({"results": jobs_as_dicts(page.results), "next": page.next})

    @extend_schema(
        operation_id="jobs_submit",
        parameters=[_KEY, flag("dry_run", "Validate the request without submitting it."), _EXPLAIN],
        request=serializers.JobRequest,
        responses={
            201: serializers.JobShape,
            200: PolymorphicProxySerializer(
                "JobReplayOrDryRun",
                [serializers.JobShape, serializers.DryRun],
                resource_type_field_name=None,
            ),
            **errors(400, 403, 404, 409, 413, 429),
        },
    )
    def post(self, request: Request, slug: str) -> Response:
        """Submit a job. 200 instead of 201: the job exists, created with this Idempotency-Key."""
        project = project_for(caller(request), slug, Role.OPERATOR)
        fields = _job_fields(request)
        if self.query.get("explain"):
            if self.query.get("dry_run") is False:
                raise Invalid(_EXPLAIN_SUBMITS, detail={"explain": _EXPLAIN_SUBMITS})
            checked = job_check(project=project, **fields)
            with EXPLAIN_TURNS.held(str(caller(request).pk)):
                start = job_start(project=project, checked=checked)
            return Response(_checked(project, checked, start))
        if self.query.get("dry_run"):
            return Response(_checked(project, job_check(project=project, **fields)))
        key = idempotency_key(request)
        return _submitted(
            job_submit(project=project, user=caller(request), idempotency_key=key, **fields)
        )


def _checked(project: Project, checked: JobRequest, start: StartBody | None = None) -> DryRunBody:
    most = checked.amounts.memory_max_bytes

    def quantities(amounts: dict[str, int]) -> QuantitiesBody:
        return {
            "cpu": format_cpu(amounts["cpu_millicores"]),
            "memory": format_memory(amounts["memory_bytes"]),
            "gpu": amounts["gpus"],
        }

    limits = from_dict(checked.resources).limits
    sizing = checked.sizing or producer_sizing(
        project_id=project.id, job_type=checked.type, name=producer_name(checked.parameters)
    )
    return {
        "valid": True,
        "priority": checked.priority,
        "resources": {
            **quantities(checked.resources["limits"]),
            "memory_max": format_memory(most) if most else None,
            "requests": quantities(checked.resources["requests"]),
            "recommended": recommended_dict(checked.resources),
        },
        "memory_from_job": checked.amounts.memory_from_job,
        "recommendation": recommendation_dict(sizing, limits),
        "timeout_seconds": checked.timeout_seconds,
        "max_attempts": checked.max_attempts,
        "cluster": checked.cluster or None,
        "region": checked.region or None,
        "inputs": [public_input(row) for row in checked.inputs],
        "start": start,
    }


def _job_body(job: Job) -> JobBody:
    return jobs_as_dicts([job])[0]


class JobCountsView(ApiView):
    """Job counts for tabs and tiles."""

    @extend_schema(
        operation_id="jobs_counts",
        responses={
            200: OpenApiResponse(
                OpenApiTypes.OBJECT,
                description="Number of jobs by status. A number above"
                f" {COUNTED_MAX} means more than {COUNTED_MAX}.",
            ),
            **errors(404),
        },
    )
    def get(self, request: Request, slug: str) -> Response:
        """Count the project's jobs by status."""
        return Response(job_counts(project=project_for(caller(request), slug)))


class JobView(ApiView):
    """One job."""

    @extend_schema(
        operation_id="jobs_read",
        parameters=[_WAIT],
        responses={200: serializers.JobShape, **errors(400, 404)},
    )
    def get(self, request: Request, job_id: UUID) -> Response:
        """Show the job's status, its reason and its result."""
        job = job_for(caller(request), job_id)
        seconds = min(self.query.get("wait", 0.0), WAIT_SECONDS_MAX)
        if seconds and job.status not in TERMINAL:
            _wait(job_id, seconds)
            job = job_for(caller(request), job_id)
        return Response(_job_body(job))


def _wait(job_id: UUID, seconds: float) -> None:
    """Wait until the job has ended, at most `seconds`.

    Holds no database connection and no slot while sleeping, because many requests may wait at
    once.
    """
    slot_release()
    end = time.monotonic() + seconds
    pause, longest = WAIT_PAUSE_SECONDS
    while (left := end - time.monotonic()) > 0:
        if not connection.in_atomic_block:
            connection.close()
        time.sleep(min(pause, left))
        pause = min(pause * 1.3, longest)
        if Job.objects.filter(id=job_id, finished_at__isnull=False).exists():
            return


class JobCancelView(ApiView):
    """Cancellation of a job."""

    @extend_schema(
        operation_id="jobs_cancel",
        request=None,
        responses={202: serializers.JobShape, **errors(403, 404, 409)},
    )
    def post(self, request: Request, job_id: UUID) -> Response:
        """Cancel a job.

        A waiting job is cancelled at once. A running job gets a stop request and is killed after
        the grace period. 409 if the job has succeeded or failed.
        """
        job = job_for(caller(request), job_id, Role.OPERATOR)
        job_cancel(job_id=job.id, actor=f"user:{request.user.get_username()}")
        return Response(_job_body(job_for(caller(request), job_id)), status=202)


class JobRetryView(ApiView):
    """Retry of an ended job."""

    @extend_schema(
        operation_id="jobs_retry",
        parameters=[_KEY],
        request=None,
        responses={
            201: serializers.JobShape,
            200: serializers.JobShape,
            **errors(400, 403, 404, 409, 429),
        },
    )
    def post(self, request: Request, job_id: UUID) -> Response:
        """Submit a new job with the same request and inputs. 200: created with this key before."""
        job = job_for(caller(request), job_id, Role.OPERATOR)
        key = idempotency_key(request)
        return _submitted(job_retry(job=job, user=caller(request), idempotency_key=key))


class JobDismissalView(ApiView):
    """Dismissal of a failure from the user's own list "Needs attention"."""

    @extend_schema(
        operation_id="jobs_dismiss", request=None, responses={204: None, **errors(404, 409)}
    )
    def put(self, request: Request, job_id: UUID) -> Response:
        """Hide this failure from the caller's project summaries.

        A newer failure of the same work is shown again.
        """
        failure_dismiss(job=job_for(caller(request), job_id), user=caller(request))
        return Response(status=204)

    @extend_schema(operation_id="jobs_dismiss_undo", responses={204: None, **errors(404)})
    def delete(self, request: Request, job_id: UUID) -> Response:
        """Show the failure again."""
        failure_restore(job=job_for(caller(request), job_id), user=caller(request))
        return Response(status=204)
