"""A job as one ZIP file: request, events, attempts, time, lineage, usage and log."""

import json
from collections.abc import Iterable, Iterator
from uuid import UUID

from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.utils.encoders import JSONEncoder

from jobs.api.details import attempt_body
from jobs.api.logs import ChunkStream
from jobs.models import Job
from jobs.queries.job_files import all_attempts, all_events, log_bytes_max, log_text, usage_csv
from jobs.queries.jobs import job_for, jobs_as_dicts
from jobs.queries.lineage import lineage_of_job
from jobs.queries.time_spent import job_time
from mimir.api.audit import audit_log
from mimir.api.downloads import without_body
from mimir.api.responses import protect, safe_name
from mimir.api.schema import errors
from mimir.api.views import ApiView, caller
from mimir.api.zip_stream import Member, zip_stream

_EVENT_BYTES = 10_000  # above an event's average size; the estimated total decides about ZIP64
FILES = {
    "job.json": "the job as GET /api/v1/jobs/{id}/ returns it: request, status, reason, result",
    "attempts.json": "every attempt: one per launched worker",
    "events.json": "every event, in order",
    "time.json": "where the time went: phases with causes",
    "lineage.json": "the versions that the job read and made",
    "usage.csv": "memory and CPU of the workers at each heartbeat",
    "log.txt": "the text that the workers printed; the last attempt's log is at the end",
}


class JobExportView(ApiView):
    """Export of a job."""

    @extend_schema(
        operation_id="jobs_export",
        responses={(200, "application/octet-stream"): OpenApiTypes.BINARY, **errors(404)},
    )
    def get(self, request: Request, job_id: UUID) -> HttpResponseBase:
        """Download everything that is stored about a job, except its artifacts, as a ZIP file.

        A job that has not ended is exported as it is while the file is sent.
        """
        job = job_for(caller(request), job_id)
        name = safe_name(f"job-{job.id}.zip")
        response: HttpResponseBase = ChunkStream(
            zip_stream(_members(job), at=job.created_at), content_type="application/octet-stream"
        )
        if request.method == "HEAD":
            response = without_body(response)
        else:
            audit_log("download", path=request.path, name=name)
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        protect(response)
        return response


def _members(job: Job) -> Iterator[Member]:
    """Yield the files of the archive in order. Each is read when the stream reaches it."""
    yield Member("README.txt", [_readme(job).encode()])
    yield Member("job.json", _object(jobs_as_dicts([job])[0]))
    yield Member("attempts.json", _list(attempt_body(job, row) for row in all_attempts(job)))
    yield Member("events.json", _list(all_events(job)), job.event_seq * _EVENT_BYTES)
    yield Member("time.json", _object(job_time(job=job)))
    lineage = lineage_of_job(job=job)
    yield Member("lineage.json", _object({"nodes": lineage.nodes, "edges": lineage.edges}))
    yield Member("usage.csv", usage_csv(job))
    yield Member("log.txt", log_text(job), log_bytes_max(job))


def _readme(job: Job) -> str:
    lines = [f"{name}: {description}" for name, description in FILES.items()]
    return "\n".join(
        [
            f"Export of job {job.id} of project {job.project.slug}",
            "Times are UTC (ISO 8601). Artifacts, datasets and models are not part of it.",
            "",
            *lines,
            "",
        ]
    )


def _object(value: object) -> list[bytes]:
    return [json.dumps(value, cls=JSONEncoder, ensure_ascii=False, indent=2).encode() + b"\n"]


def _list(rows: Iterable[object]) -> Iterator[bytes]:
    """Yield a JSON list with one line for each row."""
    yield b"["
    for index, row in enumerate(rows):
        text = json.dumps(row, cls=JSONEncoder, ensure_ascii=False)
        yield (b",\n" if index else b"\n") + text.encode()
    yield b"\n]\n"
