"""Time of a job by cause."""

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from jobs.api.serializers_time import JobTime
from jobs.queries.jobs import job_for
from jobs.queries.time_spent import job_time
from mimir.api.schema import errors
from mimir.api.views import ApiView, caller


class JobTimeView(ApiView):
    """Time of a job by cause."""

    @extend_schema(operation_id="jobs_time", responses={200: JobTime, **errors(404)})
    def get(self, request: Request, job_id: UUID) -> Response:
        """Divide the time from submit to end, or to now, into phases with causes.

        The time of a cause that is not recorded belongs to a wider one: `queued` without the rule
        that blocked the job, `running` without a stage.
        """
        return Response(job_time(job=job_for(caller(request), job_id)))
