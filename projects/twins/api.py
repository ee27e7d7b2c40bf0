"""REST views of twins: definitions, revisions, states, differences. Entities: `entities_api.py`."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from mimir.api.etags import preconditions
from mimir.api.pagination import paginate
from mimir.api.schema import CURSOR, IF_MATCH, IF_NONE_MATCH, LIMIT, NOT_MODIFIED, errors, listing
from mimir.api.views import ApiView, caller, validated
from mimir.lib.errors import Invalid
from projects.core.access import project_for
from projects.core.origins import VersionKind, version_origins
from projects.core.version_numbers import version_number
from projects.models import Role, Twin
from projects.twins import rendering, shapes
from projects.twins.definitions import (
    UnitChanges,
    twin_check,
    twin_create,
    twin_definition_change,
    twin_etag,
)
from projects.twins.read import revision_get, revision_list, twin_facts, twin_get, twin_list
from projects.twins.states import entities_between, entities_until, states_at, states_differ

_REVISION = {
    "type": "string",
    "pattern": "^(latest|[0-9]{1,9})$",
    "x-rule": "must be the number of a revision, or latest",
}
TYPE = OpenApiParameter("type", OpenApiTypes.STR, description="Only entities of this type.")


def twin_for(request: Request, slug: str, name: str, need: Role = Role.VIEWER) -> Twin:
    """Return a twin of a project in which the caller has the role `need`.

    Raises: NotFound, PermissionDenied.
    """
    return twin_get(project=project_for(caller(request), slug, need), name=name)


class TwinsView(ApiView):
    """The twins of a project."""

    @extend_schema(
        operation_id="twins_list",
        parameters=[CURSOR, LIMIT],
        responses={200: listing("TwinList", shapes.TwinShape), **errors(400, 404)},
    )
    def get(self, request: Request, slug: str) -> Response:
        """List every twin by name."""
        page = paginate(
            twin_list(project=project_for(caller(request), slug)), request, keys=("name",)
        )
        facts = twin_facts(page.results)
        return Response(
            {
                "results": [rendering.twin(row, facts[row.id]) for row in page.results],
                "next": page.next,
            }
        )

    @extend_schema(
        operation_id="twins_create",
        request=shapes.TwinRequest,
        responses={201: shapes.TwinDetail, **errors(400, 403, 404, 409, 413)},
    )
    def post(self, request: Request, slug: str) -> Response:
        """Create a twin from its definition. Jobs of type digital_twin_update then fill it."""
        project = project_for(caller(request), slug, Role.MAINTAINER)
        body = validated(shapes.TwinRequest, request)
        twin = twin_create(
            project=project, name=body["name"], definition=body["definition"], user=caller(request)
        )
        return _detail(twin, status=201)


def _detail(twin: Twin, *, status: int = 200) -> Response:
    facts = twin_facts([twin])[twin.id]
    answer = {**rendering.twin(twin, facts), "definition": facts.definition}
    return Response(answer, status=status, headers={"ETag": twin_etag(twin.definition_number)})


class TwinValidateView(ApiView):
    """Validation of a definition without saving it."""

    @extend_schema(
        operation_id="twins_validate",
        request=shapes.TwinDefinitionRequest,
        responses={200: shapes.TwinDefinitionCheck, **errors(400, 404, 413)},
    )
    def post(self, request: Request, slug: str) -> Response:
        """Validate a definition; return each fault with its path."""
        project_for(caller(request), slug)
        check = twin_check(
            definition=validated(shapes.TwinDefinitionRequest, request)["definition"]
        )
        faults = [{"path": fault.path, "message": fault.message} for fault in check.faults]
        return Response({"valid": not faults, "errors": faults})


class TwinView(ApiView):
    """One twin."""

    @extend_schema(
        operation_id="twins_read",
        parameters=[IF_NONE_MATCH],
        responses={200: shapes.TwinDetail, **NOT_MODIFIED, **errors(404)},
    )
    def get(self, request: Request, slug: str, name: str) -> Response:
        """Read a twin with its definition. The ETag is the number of the definition."""
        return _detail(twin_for(request, slug, name))


class TwinDefinitionView(ApiView):
    """The definition of a twin."""

    @extend_schema(
        operation_id="twins_define",
        parameters=[IF_MATCH],
        request=shapes.TwinDefinitionChange,
        responses={200: shapes.TwinDetail, **errors(400, 403, 404, 409, 412, 413)},
    )
    def put(self, request: Request, slug: str, name: str) -> Response:
        """Save the next definition, as a revision.

        Values that do not match it are removed. A running update then has a stale base. If a
        property with values gets another unit, `unit_changes` must say what happens to them: 409
        `unit_changed` without it.
        """
        twin = twin_for(request, slug, name, Role.MAINTAINER)
        body = validated(shapes.TwinDefinitionChange, request)
        choice = body.get("unit_changes")
        twin_definition_change(
            twin=twin,
            definition=body["definition"],
            user=caller(request),
            etags=preconditions(request),
            unit_changes=UnitChanges(choice) if choice else None,
        )
        return _detail(twin_for(request, slug, name))


class RevisionsView(ApiView):
    """The history of a twin."""

    @extend_schema(
        operation_id="twins_revisions",
        parameters=[CURSOR, LIMIT],
        responses={200: listing("TwinRevisionList", shapes.RevisionShape), **errors(400, 404)},
    )
    def get(self, request: Request, slug: str, name: str) -> Response:
        """List revisions, newest first."""
        page = paginate(
            revision_list(twin=twin_for(request, slug, name)), request, keys=("-number",)
        )
        jobs = version_origins(VersionKind.TWIN, [row.id for row in page.results])
        return Response(
            {"results": [rendering.revision(row, jobs) for row in page.results], "next": page.next}
        )


def _revision(twin: Twin, text: str) -> int:
    number = version_number(text)
    return twin.latest_revision if number is None else revision_get(twin=twin, number=number)


class StateView(ApiView):
    """The state of a twin at a revision."""

    @extend_schema(
        operation_id="twins_state",
        parameters=[TYPE, CURSOR, LIMIT],
        responses={200: shapes.StateShape, **errors(400, 404)},
    )
    def get(self, request: Request, slug: str, name: str, number: str) -> Response:
        """List every entity at a revision, with reported values and manual values.

        A page can be short without being the last one.
        """
        twin = twin_for(request, slug, name)
        at = _revision(twin, number)
        page = paginate(
            entities_until(twin=twin, number=at, type=self.query.get("type") or None),
            request,
            keys=("type", "key"),
        )
        states = states_at(entities=page.results, number=at)
        rows = [
            rendering.entity_state(row, states[row.id]) for row in page.results if row.id in states
        ]
        return Response({"revision": at, "results": rows, "next": page.next})


class DiffView(ApiView):
    """The difference of two revisions."""

    @extend_schema(
        operation_id="twins_diff",
        parameters=[
            OpenApiParameter(
                "to",
                _REVISION,
                required=True,
                description="The other revision: a number, or latest.",
            ),
            CURSOR,
            LIMIT,
        ],
        responses={200: shapes.DiffShape, **errors(400, 404)},
    )
    def get(self, request: Request, slug: str, name: str, number: str) -> Response:
        """List the changes that turn this revision into the other one.

        The other revision can be earlier or later. A page can be short without being the last one.
        """
        twin = twin_for(request, slug, name)
        wanted = self.query.get("to")
        if not wanted:
            raise Invalid(
                "to: must be the number of a revision, or latest.",
                detail={"to": "must be the number of a revision, or latest"},
            )
        first, second = _revision(twin, number), _revision(twin, wanted)
        page = paginate(
            entities_between(twin=twin, first=first, second=second), request, keys=("type", "key")
        )
        old, new = (states_at(entities=page.results, number=at) for at in (first, second))
        rows = []
        for row in page.results:
            changes = states_differ(old.get(row.id), new.get(row.id))
            if changes:
                rows.append(rendering.entity_diff(row, old.get(row.id), new.get(row.id), changes))
        return Response({"from": first, "to": second, "results": rows, "next": page.next})
