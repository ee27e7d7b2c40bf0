"""Events, attempts, artifacts and usage of one job."""

from typing import IO
from uuid import UUID

from django.http.response import HttpResponseBase
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from jobs.api import serializers
from jobs.clusters.machine import attempt_limits
from jobs.models import Attempt, Job
from jobs.queries.events import event_dict, event_page
from jobs.queries.jobs import artifact_get, artifacts_of, attempt_of, attempts_of, job_for
from jobs.queries.recommendation import job_recommendation
from jobs.queries.shapes import UsagePointBody, UsageSeriesBody
from jobs.queries.usage import usage_points
from mimir.api.downloads import Representation, download, file_sender, is_text
from mimir.api.pagination import paginate
from mimir.api.query import whole_number
from mimir.api.schema import CURSOR, DOWNLOAD, LIMIT, download_responses, errors, listing
from mimir.api.views import ApiView, caller
from mimir.lib.errors import MimirError
from projects.storage import artifacts

EVENTS_DEFAULT, EVENTS_MAX = 200, 1000
ATTEMPT = whole_number(
    "attempt", "Number of the attempt. Default: the latest.", minimum=1, maximum=2**31 - 1
)


class EventsView(ApiView):
    """Events of a job."""

    @extend_schema(
        operation_id="jobs_events",
        parameters=[
            whole_number(
                "after",
                "Only events with a greater seq. -n: the last n events.",
                minimum=-(10**12),
                maximum=10**12,
            ),
            whole_number(
                "limit", "Maximum number of events on a page.", minimum=1, maximum=EVENTS_MAX
            ),
        ],
        responses={200: listing("EventList", serializers.EventShape), **errors(400, 404)},
    )
    def get(self, request: Request, job_id: UUID) -> Response:
        """List events in order, from the one after `after`; the last n with `after=-n`."""
        job = job_for(caller(request), job_id)
        after = self.query.get("after", 0)
        after = max(after if after >= 0 else job.event_seq + after, 0)
        limit = self.query.get("limit", EVENTS_DEFAULT)
        page = event_page(job_id=job.id, after=after, limit=limit)
        following = (
            f"{request.path}?after={page.next_after}&limit={limit}"
            if page.next_after is not None
            else None
        )
        return Response(
            {"results": [event_dict(event) for event in page.events], "next": following}
        )


class AttemptsView(ApiView):
    """Attempts of a job."""

    @extend_schema(
        operation_id="jobs_attempts",
        parameters=[CURSOR, LIMIT],
        responses={200: listing("AttemptList", serializers.AttemptShape), **errors(400, 404)},
    )
    def get(self, request: Request, job_id: UUID) -> Response:
        """List attempts in order: one per launched worker."""
        job = job_for(caller(request), job_id)
        page = paginate(attempts_of(job=job).select_related("cluster"), request, keys=("number",))
        return Response(
            {"results": [attempt_body(job, row) for row in page.results], "next": page.next}
        )


def attempt_body(job: Job, row: Attempt) -> dict[str, object]:
    """Return an attempt's API body."""
    return {
        "number": row.number,
        "cluster": row.cluster_id,
        "reason": row.reason,
        "message": row.message,
        "created_at": row.created_at,
        "launched_at": row.launched_at,
        "claimed_at": row.claimed_at,
        "ended_at": row.ended_at,
        "gone_at": row.gone_at,
        "exit_code": row.exit_code,
        "exit_signal": row.exit_signal,
        "peak_memory_bytes": row.peak_memory_bytes,
        "cpu_sustained_millicores": row.cpu_sustained_millicores,
        "memory_limit_bytes": _memory_limit(job, row),
        "memory_raised_to_bytes": row.memory_raised_to_bytes,
        "counts": row.counts,
        "log_end": row.log_end,
        "log_complete": row.log_complete,
    }


def _memory_limit(job: Job, row: Attempt) -> int:
    limits = attempt_limits(job.resources, row.memory_limit_bytes, launcher=row.cluster.launcher)
    return limits.memory_bytes


class ArtifactsView(ApiView):
    """Artifacts of a job."""

    @extend_schema(
        operation_id="jobs_artifacts",
        parameters=[CURSOR, LIMIT],
        responses={200: listing("ArtifactList", serializers.ArtifactShape), **errors(400, 404)},
    )
    def get(self, request: Request, job_id: UUID) -> Response:
        """List the artifacts of the latest attempt by name."""
        job = job_for(caller(request), job_id)
        page = paginate(artifacts_of(job=job), request, keys=("name",))
        rows = [
            {
                "name": row.name,
                "size_bytes": row.size_bytes,
                "sha256": row.sha256,
                "media_type": row.media_type,
                "url": f"/api/v1/jobs/{job.id}/artifacts/{row.name}/",
            }
            for row in page.results
        ]
        return Response({"results": rows, "next": page.next})


class ArtifactView(ApiView):
    """One artifact."""

    @extend_schema(
        operation_id="jobs_artifact",
        parameters=DOWNLOAD,
        responses=download_responses("application/octet-stream"),
    )
    def get(self, request: Request, job_id: UUID, name: str) -> HttpResponseBase:
        """Download an artifact as an attachment, whatever media type its worker declared.

        The ETag is the SHA-256 of the bytes. Byte ranges are supported.
        """
        row = artifact_get(job=job_for(caller(request), job_id), name=name)

        def open_file() -> IO[bytes]:
            try:
                return artifacts.open_file(row.storage_key)
            except FileNotFoundError as error:
                message = (
                    f"The file of {name} is not in the artifact storage. Contact an administrator."
                )
                raise MimirError(message, code="content_missing", status=500) from error

        content = Representation(
            etag=f'"{row.sha256}"',
            size_bytes=row.size_bytes,
            media_type="application/octet-stream",
            name=row.name,
            send=file_sender(open_file, size_bytes=row.size_bytes),
            is_text=is_text(row.media_type, row.name),
            modified_at=row.created_at,
        )
        return download(request, content)


class UsageView(ApiView):
    """Resource usage of a worker."""

    @extend_schema(
        operation_id="jobs_usage",
        parameters=[ATTEMPT],
        responses={200: serializers.Usage, **errors(400, 404)},
    )
    def get(self, request: Request, job_id: UUID) -> Response:
        """Return memory and CPU over time, at most 500 points. Downsampling keeps the peaks.

        For an ended job, the body has the limits that fit its producer's last runs.
        """
        job = job_for(caller(request), job_id)
        attempt = attempt_of(job=job, number=self.query.get("attempt"))
        if attempt is None:
            return Response({"results": [], "limit_bytes": None, "recommendation": None})
        points: list[UsagePointBody] = [
            {
                "at": point.at,
                "memory_bytes": point.memory_bytes,
                "cpu_millicores": point.cpu_millicores,
            }
            for point in usage_points(attempt=attempt)
        ]
        body: UsageSeriesBody = {
            "results": points,
            "limit_bytes": _memory_limit(job, attempt),
            "recommendation": job_recommendation(job=job),
        }
        return Response(body)
