"""REST views of pipelines: step types, check, save, list."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from mimir.api.etags import preconditions
from mimir.api.pagination import paginate
from mimir.api.schema import (
    CURSOR,
    IF_MATCH,
    IF_NEW,
    IF_NONE_MATCH,
    LIMIT,
    NOT_MODIFIED,
    errors,
    listing,
)
from mimir.api.views import ApiView, caller, validated
from mimir.lib.schemas.field_errors import FieldError
from mimir.lib.schemas.steps import STEP_TYPES
from mimir.lib.schemas.steptype import StepType
from projects.core.access import project_for
from projects.models import Role
from projects.pipelines import shapes
from projects.pipelines.read import pipeline_get, pipeline_latest_versions, pipeline_versions
from projects.pipelines.write import pipeline_check, pipeline_etag, pipeline_save


class StepTypesView(ApiView):
    """The types of steps that a pipeline can have."""

    @extend_schema(operation_id="step_types_list", responses={200: shapes.StepTypes, **errors()})
    def get(self, request: Request) -> Response:
        """List all step types, with their fields as JSON Schema, for forms, editors and help.

        The `format` of a field is the kind of object it refers to: `dataset`, `version`, `table`,
        `sql`, `new-tables`, `argv` or `uri`.
        """
        return Response({"results": [_step_type(step) for step in STEP_TYPES.values()]})


def _step_type(step: StepType) -> shapes.StepTypeBody:
    return {
        "name": step.name,
        "title": step.title,
        "help": step.help,
        "fields": step.fields,
        "example": step.example,
        "makes": step.makes,
    }


class PipelinesView(ApiView):
    """The pipelines of a project."""

    @extend_schema(
        operation_id="pipelines_list",
        parameters=[CURSOR, LIMIT],
        responses={200: listing("PipelineList", shapes.PipelineShape), **errors(400, 404)},
    )
    def get(self, request: Request, slug: str) -> Response:
        """List every pipeline with its newest version, by name."""
        page = paginate(
            pipeline_latest_versions(project=project_for(caller(request), slug)),
            request,
            keys=("pipeline__name",),
        )
        rows = [
            {
                "name": row.pipeline.name,
                "created_at": row.pipeline.created_at,
                "version": shapes.pipeline_version(row),
            }
            for row in page.results
        ]
        return Response({"results": rows, "next": page.next})

    @extend_schema(
        operation_id="pipelines_save",
        parameters=[IF_MATCH, IF_NEW],
        request=shapes.PipelineRequest,
        responses={
            200: shapes.PipelineSavedShape,
            201: shapes.PipelineSavedShape,
            **errors(400, 403, 404, 409, 412, 413, 429),
        },
    )
    def post(self, request: Request, slug: str) -> Response:
        """Save a definition as the next version of the pipeline of that name.

        `If-Match`: the ETag of the version that was edited. 201: a version was created. 200: the
        definition equals the current version, which is returned; nothing was created. SQL that does
        not match the present datasets and columns is saved, with `warnings`: the data can follow
        later.
        """
        project = project_for(caller(request), slug, Role.MAINTAINER)
        body = validated(shapes.PipelineRequest, request)
        saved = pipeline_save(
            project=project,
            name=body["name"],
            definition=body["definition"],
            user=caller(request),
            etags=preconditions(request),
        )
        row = saved.version
        answer = {
            "name": row.pipeline.name,
            "created_at": row.pipeline.created_at,
            "version": shapes.pipeline_version(row),
            "created": saved.created,
            "warnings": [_fault(fault) for fault in saved.check.data_faults],
        }
        return Response(
            answer,
            status=201 if saved.created else 200,
            headers={"ETag": pipeline_etag(row.number)},
        )


class PipelineValidateView(ApiView):
    """Validation of a definition without saving it."""

    @extend_schema(
        operation_id="pipelines_validate",
        request=shapes.DefinitionRequest,
        responses={200: shapes.DefinitionCheck, **errors(400, 404, 413, 429)},
    )
    def post(self, request: Request, slug: str) -> Response:
        """Validate a definition: errors with their paths, the check of each step, and the graph.

        SQL is bound to the present columns of this project's datasets. No data is read.
        """
        project = project_for(caller(request), slug)
        definition = validated(shapes.DefinitionRequest, request)["definition"]
        check = pipeline_check(project=project, definition=definition, user=caller(request))
        faults = [{**_fault(fault), "kind": "definition"} for fault in check.faults]
        faults += [{**_fault(fault), "kind": "data"} for fault in check.data_faults]
        return Response(
            {
                "valid": not faults,
                "can_be_saved": not check.faults,
                "errors": faults,
                "steps": check.steps,
                "summary": check.summary,
                "graph": check.graph,
            }
        )


def _fault(fault: FieldError) -> shapes.FaultBody:
    return {"path": fault.path, "message": fault.message, "detail": fault.detail}


class PipelineView(ApiView):
    """One pipeline."""

    @extend_schema(
        operation_id="pipelines_read",
        parameters=[CURSOR, LIMIT, IF_NONE_MATCH],
        responses={200: shapes.PipelineVersions, **NOT_MODIFIED, **errors(400, 404)},
    )
    def get(self, request: Request, slug: str, name: str) -> Response:
        """List the versions of a pipeline, newest first."""
        pipeline = pipeline_get(project=project_for(caller(request), slug), name=name)
        page = paginate(pipeline_versions(pipeline=pipeline), request, keys=("-number",))
        versions = [shapes.pipeline_version(row) for row in page.results]
        answer = {
            "name": pipeline.name,
            "created_at": pipeline.created_at,
            "versions": versions,
            "next": page.next,
        }
        return Response(answer, headers={"ETag": pipeline_etag(pipeline.latest_number)})
