"""Comparison of two jobs."""

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from jobs.api.serializers_comparison import JobComparison, LastSuccess
from jobs.queries.comparison_read import jobs_compare, last_success
from jobs.queries.jobs import job_for, jobs_as_dicts
from mimir.api.schema import errors
from mimir.api.views import ApiView, caller


class JobComparisonView(ApiView):
    """Comparison of two jobs."""

    @extend_schema(operation_id="jobs_compare", responses={200: JobComparison, **errors(404)})
    def get(self, request: Request, job_id: UUID, other_id: UUID) -> Response:
        """Compare two jobs of one project.

        Parameters by path, input versions, resources, place, time by cause, peak memory and the
        numbers of the results. 404 for jobs of two projects.
        """
        user = caller(request)
        return Response(jobs_compare(one=job_for(user, job_id), two=job_for(user, other_id)))


class LastSuccessView(ApiView):
    """Last successful run."""

    @extend_schema(operation_id="jobs_last_success", responses={200: LastSuccess, **errors(404)})
    def get(self, request: Request, job_id: UUID) -> Response:
        """Return the newest successful run of the same work that was submitted before this job.

        The same work: the same type with the same pipeline, output dataset, model or twin.
        """
        found = last_success(job=job_for(caller(request), job_id))
        return Response({"job": jobs_as_dicts([found])[0] if found else None})
