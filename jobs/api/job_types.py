"""Job types of this release, for forms and for titles in lists."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from jobs.api import serializers
from jobs.api.document import in_ecma_patterns
from jobs.core.resources import Amounts, Profile, format_cpu, format_memory
from jobs.lifecycle.amounts import profiles
from jobs.queries.shapes import JobTypeBody, QuantitiesBody
from jobs.types.registry import SPECS
from jobs.types.spec import JobTypeSpec
from mimir.api.schema import IF_NONE_MATCH, NOT_MODIFIED, errors, listing
from mimir.api.views import ApiView

_ETAG = '"1"'  # extended by a hash of the response, which depends on settings only


class JobTypesView(ApiView):
    """Job types."""

    @extend_schema(
        operation_id="job_types_list",
        parameters=[IF_NONE_MATCH],
        responses={
            200: listing("JobTypeList", serializers.JobTypeShape),
            **NOT_MODIFIED,
            **errors(),
        },
    )
    def get(self, request: Request) -> Response:
        """List all job types with their texts, parameter schemas and resources, on one page."""
        resources = profiles()
        rows = [job_type_row(spec, resources[spec.name]) for spec in SPECS.values()]
        return Response({"results": rows, "next": None}, headers={"ETag": _ETAG})


def job_type_row(spec: JobTypeSpec, profile: Profile) -> JobTypeBody:
    """Return the API body of a job type. `profile`: its default limits and requests."""
    return {
        "type": spec.name,
        "title": spec.title,
        "icon": spec.icon,
        "summary": spec.summary,
        "heading": spec.heading,
        "button": spec.button,
        "job_title": spec.job_title,
        "subject": spec.subject,
        "output": spec.output,
        "parameters": in_ecma_patterns(spec.parameters),
        "resources": {
            **_quantities(profile.limits),
            "requests": _quantities(profile.requests),
        },
        "default_priority": spec.default_priority.value,
        "reads": list(spec.reads),
        "produces": list(spec.produces),
    }


def _quantities(amounts: Amounts) -> QuantitiesBody:
    return {
        "cpu": format_cpu(amounts.cpu_millicores),
        "memory": format_memory(amounts.memory_bytes),
        "gpu": amounts.gpus,
    }
