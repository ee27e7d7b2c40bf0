"""REST views of entities: present values, their sources, manual values, history.

An entity has two addresses: by path, in which its key can contain slashes, and by query
(`entity/?type=&key=`), for keys that not every proxy passes in a path: with `//`, `..` or a
backslash.
"""

from collections.abc import Mapping

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from mimir.api.etags import preconditions
from mimir.api.pagination import paginate
from mimir.api.schema import CURSOR, IF_MATCH, IF_NONE_MATCH, LIMIT, NOT_MODIFIED, errors, listing
from mimir.api.views import ApiView, caller, validated
from mimir.lib.errors import Invalid
from projects.models import Entity, Role, Twin
from projects.twins import rendering, shapes
from projects.twins.api import TYPE, twin_for
from projects.twins.edits import entity_etag, overlay_edit
from projects.twins.entities import entity_changes, entity_detail, entity_get, entity_list
from projects.twins.sources import sources_of

_NOT_EMPTY = {"type": "string", "minLength": 1}
_BY_QUERY = [
    OpenApiParameter("type", _NOT_EMPTY, required=True, description="The entity's type."),
    OpenApiParameter("key", _NOT_EMPTY, required=True, description="The entity's key."),
]
_HISTORY = listing("EntityHistory", shapes.ChangeShape)
_PROPERTY = OpenApiParameter(
    "property",
    OpenApiTypes.STR,
    description="Only changes of this property. Default: all properties and the status.",
)


class EntitiesView(ApiView):
    """The entities of a twin."""

    @extend_schema(
        operation_id="twins_entities",
        parameters=[
            TYPE,
            OpenApiParameter("q", OpenApiTypes.STR, description="Text to search in the key."),
            CURSOR,
            LIMIT,
        ],
        responses={200: listing("EntityList", shapes.EntityShape), **errors(400, 404)},
    )
    def get(self, request: Request, slug: str, name: str) -> Response:
        """List the present entities by type and key, without removed ones."""
        twin = twin_for(request, slug, name)
        entities = entity_list(
            twin=twin, type=self.query.get("type") or None, text=self.query.get("q") or None
        )
        page = paginate(entities, request, keys=("type", "key"))
        return Response(
            {"results": [rendering.entity(row) for row in page.results], "next": page.next}
        )


def _named(query: Mapping[str, object], type: str | None, key: str | None) -> tuple[str, str]:
    """Return type and key from the path, or from the query. Raises: Invalid."""
    if type is not None and key is not None:
        return type, key
    found = {name: query.get(name) for name in ("type", "key")}
    missing = {
        name: "is missing. It identifies the entity" for name, value in found.items() if not value
    }
    if missing:
        raise Invalid(
            " ".join(f"{name}: {message}." for name, message in missing.items()), detail=missing
        )
    return str(found["type"]), str(found["key"])


def _entity(query: Mapping[str, object], twin: Twin, type: str | None, key: str | None) -> Entity:
    kind, name = _named(query, type, key)
    return entity_get(twin=twin, type=kind, key=name)


def _detail(twin: Twin, entity: Entity) -> Response:
    return Response(
        rendering.entity_detail(entity_detail(twin=twin, entity=entity)),
        headers={"ETag": entity_etag(entity)},
    )


class EntityView(ApiView):
    """One entity."""

    @extend_schema(
        operation_id="twins_entity",
        parameters=[IF_NONE_MATCH],
        responses={200: shapes.EntityDetailShape, **NOT_MODIFIED, **errors(404)},
    )
    def get(
        self,
        request: Request,
        slug: str,
        name: str,
        type: str | None = None,
        key: str | None = None,
    ) -> Response:
        """Read each value with its source, and manual values beside reported ones."""
        twin = twin_for(request, slug, name)
        return _detail(twin, _entity(self.query, twin, type, key))


class OverlayView(ApiView):
    """Manual values of an entity."""

    @extend_schema(
        operation_id="twins_edit",
        parameters=[IF_MATCH],
        request=shapes.OverlayRequest,
        responses={200: shapes.EntityDetailShape, **errors(400, 403, 404, 409, 412)},
    )
    def patch(
        self,
        request: Request,
        slug: str,
        name: str,
        type: str | None = None,
        key: str | None = None,
    ) -> Response:
        """Set values that no update overwrites; null removes a manual value. Creates a revision."""
        twin = twin_for(request, slug, name, Role.OPERATOR)
        kind, entity_key = _named(self.query, type, key)
        body = validated(shapes.OverlayRequest, request)
        overlay_edit(
            twin=twin,
            type=kind,
            key=entity_key,
            values=body["values"],
            note=body["note"],
            user=caller(request),
            etags=preconditions(request),
        )
        return _detail(twin, entity_get(twin=twin, type=kind, key=entity_key))


class HistoryView(ApiView):
    """The history of an entity's values."""

    @extend_schema(
        operation_id="twins_history",
        parameters=[_PROPERTY, CURSOR, LIMIT],
        responses={200: _HISTORY, **errors(400, 404)},
    )
    def get(
        self,
        request: Request,
        slug: str,
        name: str,
        type: str | None = None,
        key: str | None = None,
    ) -> Response:
        """List each change with its source, newest first."""
        twin = twin_for(request, slug, name)
        entity = _entity(self.query, twin, type, key)
        page = paginate(
            entity_changes(entity=entity, name=self.query.get("property") or None),
            request,
            keys=("-number", "-id"),
        )
        sources = sources_of(twin=twin, numbers=[row.number for row in page.results])
        return Response(
            {"results": [rendering.change(row, sources) for row in page.results], "next": page.next}
        )


class EntityByQueryView(EntityView):
    """One entity, addressed by the query."""

    @extend_schema(
        operation_id="twins_entity_by_query",
        parameters=[*_BY_QUERY, IF_NONE_MATCH],
        responses={200: shapes.EntityDetailShape, **NOT_MODIFIED, **errors(400, 404)},
    )
    def get(self, request: Request, slug: str, name: str) -> Response:  # type: ignore[override]
        """Read each value with its source, and manual values beside reported ones."""
        return super().get(request, slug, name)


class OverlayByQueryView(OverlayView):
    """Manual values of an entity, addressed by the query."""

    @extend_schema(
        operation_id="twins_edit_by_query",
        parameters=[*_BY_QUERY, IF_MATCH],
        request=shapes.OverlayRequest,
        responses={200: shapes.EntityDetailShape, **errors(400, 403, 404, 409, 412)},
    )
    def patch(self, request: Request, slug: str, name: str) -> Response:  # type: ignore[override]
        """Set values that no update overwrites; null removes a manual value. Creates a revision."""
        return super().patch(request, slug, name)


class HistoryByQueryView(HistoryView):
    """The history of an entity's values, addressed by the query."""

    @extend_schema(
        operation_id="twins_history_by_query",
        parameters=[*_BY_QUERY, _PROPERTY, CURSOR, LIMIT],
        responses={200: _HISTORY, **errors(400, 404)},
    )
    def get(self, request: Request, slug: str, name: str) -> Response:  # type: ignore[override]
        """List each change with its source, newest first."""
        return super().get(request, slug, name)
